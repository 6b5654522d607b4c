import { Limits } from "#domain/Limits.ts"
import type { ReplyOf } from "#domain/Operations.ts"
import { type Actor, alice, root } from "#domain/testing/Actors.ts"
import { attributesSet } from "#domain/testing/Events.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, fifo, file, forged, opened, removed, symlink, unset } from "#domain/testing/Steps.ts"
import { ask, replyOf, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

interface Page {
  readonly after?: string
  readonly count?: number
  readonly plus?: boolean
  readonly handle?: number
}

const list = (path: string, page: Page = {}, by: Actor = root) =>
  ask(by, "readDirectory", ({ at }) => ({ inode: at(path), handle: 0, after: "", count: 100, plus: false, ...page }))

/** Reads one page, whatever it may be. */
const read = (world: World, path: string, page: Page): ReplyOf<"readDirectory"> => {
  const command = world.command(list(path, page))
  const [decision] = world.decide(world.message(root, [command]))
  if (decision === undefined || decision === "waits") throw new Error("no page")
  return replyOf(command, decision.reply).reply as ReplyOf<"readDirectory">
}

const namesOf = ({ entries }: ReplyOf<"readDirectory">): ReadonlyArray<string> => entries.map(({ name }) => name)

const entry = ({ at }: World, path: string, type: number) => ({
  name: path.slice(path.lastIndexOf("/") + 1),
  inode: at(path),
  type,
  attributes: undefined
})

describe("readdir", () => {
  it("lists names in byte order with their types", () => {
    given(directory("/d"), file("/d/b"), directory("/d/a"), symlink("/d/\xff", "x"), fifo("/d/B"))
      .when(list("/d")).answers((world) => ({
        parent: world.root,
        entries: [
          entry(world, "/d/B", 1),
          entry(world, "/d/a", 4),
          entry(world, "/d/b", 8),
          entry(world, "/d/\xff", 10)
        ],
        end: true
      }))
  })

  it("gives attributes where they are wanted", () => {
    given(directory("/d"), file("/d/x"))
      .when(list("/d", { plus: true })).answers((world) => ({
        parent: world.root,
        entries: [{ ...entry(world, "/d/x", 8), attributes: world.stat("/d/x") }],
        end: true
      }))
  })

  it("tells the parent, which of the root is the root", () => {
    given(directory("/a"), directory("/a/b"))
      .when(list("/a/b")).answers(({ at }) => ({ parent: at("/a"), entries: [], end: true }))
      .when(list("/a/b", { count: 0 })).answers(({ at }) => ({ parent: at("/a"), entries: [], end: true }))
      .when(list("/", { count: 0 })).answers(({ root }) => ({ parent: root, entries: [], end: false }))
  })

  it("wants read permission, or a handle that was opened with it", () => {
    given(directory("/d", { mode: 0o755 }), file("/d/x"), opened("/d", "h", alice, 1))
      .when(ask(root, "setAttributes", ({ at }) => ({ ...unset, inode: at("/d"), mode: 0o711 })))
      .happens(({ at }) => [attributesSet(at("/d"), { mode: 0o711 })])
      .when(list("/d", {}, alice)).refuses("EACCES")
      .when(list("/d", { handle: 12_345 }, alice)).refuses("EACCES")
      .when(ask(alice, "readDirectory", ({ at, the }) => ({ ...first, inode: at("/d"), handle: the("h") })))
      .answers((world) => ({ parent: world.root, entries: [entry(world, "/d/x", 8)], end: true }))
  })

  it("refuses what is no directory, and what is not there", () => {
    given(file("/x"))
      .when(list("/x")).refuses("ENOTDIR")
      .when(ask(root, "readDirectory", { ...first, inode: 99 })).refuses("ESTALE")
  })

  it("lists an open directory that was removed as empty", () => {
    given(directory("/d"), opened("/d", "h", root, 1), removed("/d", "d"))
      .when(ask(root, "readDirectory", ({ the }) => ({ ...first, inode: the("d"), handle: the("h") })))
      .answers(({ root }) => ({ parent: root, entries: [], end: true }))
  })

  it("goes on strictly after its cookie, whatever became of that name", () => {
    const { world } = given(directory("/d"), ...["a", "c", "e", "g"].map((name) => file(`/d/${name}`)))
    const page = read(world, "/d", { count: 2 })
    expect([namesOf(page), page.end]).toEqual([["a", "c"], false])
    removed("/d/c", "c")(world)
    removed("/d/a", "a")(world)
    file("/d/b")(world)
    file("/d/d")(world)
    file("/d/z")(world)
    const rest = read(world, "/d", { after: "c" })
    expect([namesOf(rest), rest.end]).toEqual([["d", "e", "g", "z"], true])
  })

  it("lists each name that stays once, while others come and go between its pages", () => {
    const stay = Array.from({ length: 60 }, (_, i) => `s${String(i).padStart(3, "0")}`)
    const { world } = given(directory("/d"), ...stay.map((name) => file(`/d/${name}`)))
    const seen: Array<string> = []
    for (let after = "", turn = 0, end = false; !end; turn++) {
      const page = read(world, "/d", { after, count: 7 })
      seen.push(...namesOf(page))
      after = namesOf(page).at(-1) ?? after
      end = page.end
      file(`/d/s${String((turn * 37) % 60).padStart(3, "0")}-new`)(world)
      if (turn > 0) removed(`/d/s${String(((turn - 1) * 37) % 60).padStart(3, "0")}-new`, "gone")(world)
    }
    expect(seen.filter((name) => !name.endsWith("-new"))).toEqual(stay)
    expect(new Set(seen).size).toBe(seen.length)
  })

  it("gives no more entries than one page may hold", () => {
    const { world } = given(file("/x"), forged(many(Limits.listingEntriesMax + 10, (i) => `n${i}`)))
    const page = read(world, "/", { count: Number.MAX_SAFE_INTEGER })
    expect([page.entries.length, page.end]).toEqual([Limits.listingEntriesMax, false])
    const rest = read(world, "/", { after: page.entries.at(-1)!.name, count: Number.MAX_SAFE_INTEGER })
    expect([rest.entries.length, rest.end]).toEqual([11, true])
    const plus = read(world, "/", { count: Number.MAX_SAFE_INTEGER, plus: true })
    expect([plus.entries.length, plus.end]).toEqual([Limits.listingPlusMax, false])
  })

  it("ends a page by its bytes, and loses no name between two", () => {
    const { world } = given(file("/x"), forged(many(6000, (i) => `${i}`.padStart(255, "n"))))
    let count = 0
    let pages = 0
    for (let after = "", end = false; !end; pages++) {
      const page = read(world, "/", { after, count: 8000 })
      const bytes = page.entries.reduce((sum, { name }) => sum + name.length, 0)
      expect(bytes).toBeLessThanOrEqual(Limits.listingBytesMax + 255)
      count += page.entries.length
      after = page.entries.at(-1)!.name
      end = page.end
    }
    expect([count, pages]).toEqual([6001, 2])
  })
})

const first = { handle: 0, after: "", count: 100, plus: false }

/** That many names for one file, which no test could create one by one in time. */
const many =
  (count: number, nameOf: (index: number) => string) => (state: World["live"], { at, root }: World): void => {
    for (let i = 0; i < count; i++) state.expect(root).entries?.set(nameOf(i), at("/x"))
  }
