import { problemsOf, report } from "#simulations/checkers/ListingCheck.ts"
import { creating, fileOf, listing, page, renaming, Telling } from "#simulations/checkers/testing/Telling.ts"
import { describe, expect, it } from "vitest"

const created = (inode: number) => ({ attributes: fileOf(inode), handle: 0, created: true })

const withFiles = (...names: ReadonlyArray<string>): Telling => {
  const history = new Telling()
  for (const [index, name] of names.entries()) history.does(1, "create", creating(1, name), created(10 + index))
  return history
}

const wrongOf = (history: Telling) => problemsOf(history.observations).map(({ name, wrong }) => `${name}: ${wrong}`)

describe("a listing of several pages", () => {
  it("shows each name that is there once", () => {
    const history = withFiles("a", "b", "c").does(2, "readDirectory", listing(1, "", 2), page({ a: 10, b: 11 }, false))
      .does(2, "readDirectory", listing(1, "b", 2), page({ c: 12 }))
    expect(wrongOf(history)).toEqual([])
  })

  it("may show or leave out what comes and goes meanwhile", () => {
    const history = withFiles("a", "b").does(2, "readDirectory", listing(1, "", 1), page({ a: 10 }, false))
      .does(1, "unlink", { parent: 1, name: "b" }, undefined).does(1, "create", creating(1, "c"), created(12))
      .does(2, "readDirectory", listing(1, "a", 1), page({}))
    expect(wrongOf(history)).toEqual([])
    const other = withFiles("a").loses(1, "rename", renaming(1, "a", 1, "b"))
      .does(2, "readDirectory", listing(1, "", 1), page({ a: 10 }, false))
      .does(2, "readDirectory", listing(1, "a", 1), page({ b: 10 }))
    expect(wrongOf(other)).toEqual([])
  })

  it("is judged by what it misses only if it came to its end", () => {
    const history = withFiles("a", "b").does(2, "readDirectory", listing(1, "", 1), page({ a: 10 }, false))
    expect(wrongOf(history)).toEqual([])
  })

  it("must not miss a name that was there throughout", () => {
    const history = withFiles("a", "b", "c").does(2, "readDirectory", listing(1, "", 1), page({ a: 10 }, false))
      .does(1, "unlink", { parent: 1, name: "c" }, undefined).does(2, "readDirectory", listing(1, "a", 1), page({}))
    expect(wrongOf(history)).toEqual(["b: missing, though it was there throughout"])
    expect(report(problemsOf(history.observations))).toContain(`create(parent=1 name="b"`)
  })

  it("must not show a name twice", () => {
    const history = withFiles("a", "b").does(2, "readDirectory", listing(1, "", 1), page({ a: 10 }, false))
      .does(2, "readDirectory", listing(1, "a", 2), page({ a: 10, b: 11 }))
    expect(wrongOf(history)).toEqual(["a: listed twice"])
  })

  it("must not show a name that was removed before it began, or that was never there, or not yet", () => {
    const history = withFiles("a", "b").does(1, "unlink", { parent: 1, name: "b" }, undefined)
      .does(2, "readDirectory", listing(1), page({ a: 10, b: 11, x: 99, z: 12 }))
      .does(1, "create", creating(1, "z"), created(12))
    expect(wrongOf(history)).toEqual(["b", "x", "z"].map((name) => `${name}: listed, though it was never there`))
  })

  it("must not show the old name of a file that was renamed before, unless there may be two", () => {
    const history = withFiles("a").does(1, "rename", renaming(1, "a", 1, "b"), undefined)
    history.does(2, "readDirectory", listing(1), page({ a: 10, b: 10 }))
    expect(wrongOf(history)).toEqual(["a: listed, though it was never there"])
    history.does(1, "link", { inode: 10, parent: 1, name: "d" }, { attributes: fileOf(10) })
    expect(wrongOf(history)).toEqual([])
  })

  it("knows the tree that was there before", () => {
    const tree = [{ parent: 1, name: "a", inode: 10, mode: 0o100644 }]
    const history = new Telling().does(2, "readDirectory", listing(1), page({}))
    expect(problemsOf(history.observations, tree)).toHaveLength(1)
    const right = new Telling().does(2, "readDirectory", listing(1), page({ a: 10 }))
    expect(problemsOf(right.observations, tree)).toEqual([])
  })
})
