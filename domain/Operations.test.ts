import { Reader } from "#domain/codec/Reader.ts"
import { Writer } from "#domain/codec/Writer.ts"
import { isRead } from "#domain/Decide.ts"
import { readOnly } from "#domain/Operation.ts"
import { type OperationName, operationOf, operations } from "#domain/Operations.ts"
import { requestOf } from "#domain/testing/Arbitraries.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import * as fc from "fast-check"
import * as fs from "node:fs"
import { describe, expect, it } from "vitest"

const { runs } = seedsOf(process.env)
const folder = new URL("operations/", import.meta.url)
const all = Object.values(operations)
const names = Object.keys(operations) as ReadonlyArray<OperationName>

const fileOf = (name: string): string => `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`

describe("the registry of operations", () => {
  it.each(names)("has a file and a test beside it for %s", (name) => {
    expect(fs.existsSync(new URL(`${fileOf(name)}.ts`, folder))).toBe(true)
    expect(fs.existsSync(new URL(`${fileOf(name)}.test.ts`, folder))).toBe(true)
  })

  it("leaves out no operation that has a file", async () => {
    const found: Array<unknown> = []
    for (const file of fs.readdirSync(folder).filter((file) => !file.endsWith(".test.ts"))) {
      const module = await import(new URL(file, folder).href) as { readonly [name: string]: unknown }
      for (const value of Object.values(module)) {
        if (typeof value === "object" && value !== null && "plan" in value) found.push(value)
      }
    }
    expect(new Set(found)).toEqual(new Set(all))
  })

  it("gives each operation a number and a name of its own", () => {
    expect(new Set(all.map(({ code }) => code)).size).toBe(all.length)
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length)
    for (const operation of all) {
      expect(operation.code).toBeGreaterThan(0)
      expect(operation.code).toBeLessThan(256)
      expect(operationOf(operation.code)).toBe(operation)
    }
    expect(operationOf(0)).toBeUndefined()
    expect(operationOf(255)).toBeUndefined()
  })

  it("numbers reads, and them alone, below 32", () => {
    for (const operation of all) {
      expect([operation.name, isRead(operation)]).toEqual([operation.name, operation.code < 32])
    }
    expect(all.filter(({ answer }) => answer === readOnly).map(({ code }) => code < 32)).not.toContain(false)
    expect(all.filter(({ answer }) => answer !== readOnly).map(({ code }) => code < 32)).not.toContain(true)
  })
})

describe("the request of an operation", () => {
  it.each(names)("comes back from its bytes as it was, for %s", (name) => {
    const { request: codec } = operations[name]
    fc.assert(
      fc.property(requestOf(name), (request) => {
        const writer = new Writer(1)
        codec.write(writer, request as never)
        const reader = new Reader(writer.take())
        expect(codec.read(reader)).toEqual(request)
        expect(reader.remaining).toBe(0)
      }),
      runs(100)
    )
  })

  it.each(names)("names its fields that hold inodes, one of which says where it goes, for %s", (name) => {
    const { request, routeOf } = operations[name] as {
      readonly request: { readonly inodeFields: ReadonlyArray<string> }
      readonly routeOf: (request: unknown) => number
    }
    fc.assert(
      fc.property(requestOf(name), (value) => {
        const fields = value as { readonly [field: string]: unknown }
        expect(request.inodeFields.map((field) => fields[field])).toContain(routeOf(value))
      }),
      runs(20)
    )
  })
})
