import { creating, fileOf, listing, Telling } from "#simulations/checkers/testing/Telling.ts"
import { render } from "#simulations/history/History.ts"
import { expect, it } from "vitest"

it("prints one line an operation, in the order in which they began", () => {
  const history = new Telling()
  const creation = history.begins(12, "create", creating(1, "a\n"))
  history.does(3, "unlink", { parent: 1, name: "b" }, "ENOENT").loses(3, "unlink", { parent: 1, name: "c" })
  creation.ends({ attributes: fileOf(77), handle: 0, created: true })
  const [first, second, third] = history.observations
  if (first === undefined || second === undefined || third === undefined) throw new Error("no observations")
  expect(render([third, { ...second, applied: "not at all" }, first]).split("\n")).toEqual([
    `c12#0  1..5  create(parent=1 name="a\\n" mode=420 umask=0 exclusive=false truncate=false access=0) -> ` +
    `(attributes={inode 77 -rw-r--r-- nlink 1 owner 0:0 size 0 data 0} handle=0 created=true)`,
    `c3#0   2..3  unlink(parent=1 name="b") -> ENOENT [not at all]`,
    `c3#1   4..   unlink(parent=1 name="c") -> ?`
  ])
})

it("cuts long lists short", () => {
  const entries = Array.from(
    { length: 20 },
    (_, index) => ({ name: `${index}`, inode: 2, type: 8, attributes: undefined })
  )
  const history = new Telling().does(1, "readDirectory", listing(1), { parent: 1, end: true, entries })
  expect(render(history.observations)).toContain(`(name="15" inode=2 type=8), ... 4 more])`)
})
