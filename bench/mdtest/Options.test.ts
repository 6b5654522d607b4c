import { directoriesOf, type GivenOptions, optionsOf } from "#bench/mdtest/Options.ts"
import { describe, expect, it } from "vitest"

describe("options of mdtest", () => {
  it("select every phase unless some are asked for", () => {
    expect(optionsOf({}).selection).toEqual({
      files: true,
      directories: true,
      create: true,
      stat: true,
      read: true,
      remove: true
    })
    expect(optionsOf({ createOnly: true, statOnly: true, filesOnly: true }).selection).toEqual({
      files: true,
      directories: false,
      create: true,
      stat: true,
      read: false,
      remove: false
    })
  })

  it("leave the items open where a directory's are given", () => {
    expect(optionsOf({ itemsPerDirectory: 10 }).itemsGiven).toBeUndefined()
    expect(optionsOf({ itemsPerDirectory: 10, items: 70 }).itemsGiven).toBe(70)
    expect(optionsOf({}).itemsGiven).toBe(200_000)
  })

  it.each<readonly [GivenOptions, string]>([
    [{ filesOnly: true, directoriesOnly: true }, "-F and -D"],
    [{ batch: 2049 }, "2048"],
    [{ connect: "a:1", data: "b" }, "--connect and --data"],
    [{ data: "b", runners: 2 }, "--runners"],
    [{ connect: "a:1", tls: true }, "CADASTRE_TLS"],
    [{ data: "b", secretFile: "c" }, "--secret-file"],
    [{ statOnly: true }, "-C"],
    [{ removeOnly: true }, "-C"],
    [{ readOnly: true, directoriesOnly: true, data: "b" }, "-E"],
    [{ branching: 1000, depth: 3 }, "directories"]
  ])("that do not go together are refused: %j", (given, named) => {
    expect(() => optionsOf(given)).toThrow(named)
  })

  it("count the directories of a tree", () => {
    expect(directoriesOf(1, 0)).toBe(1)
    expect(directoriesOf(1, 5)).toBe(6)
    expect(directoriesOf(3, 2)).toBe(13)
  })
})
