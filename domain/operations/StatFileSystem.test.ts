import { Limits } from "#domain/Limits.ts"
import { alice, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { file, opened, removed, sized, written } from "#domain/testing/Steps.ts"
import { ask } from "#domain/testing/World.ts"
import { describe, it } from "vitest"

const statFileSystem = ask(alice, "statFileSystem", ({ root }) => ({ inode: root }))

describe("statfs", () => {
  it("counts inodes and bytes of data, holes left out", () => {
    given(file("/x"), written("/x", 1000, 70), sized("/x", 1_000_000))
      .when(statFileSystem).answers({ inodes: 2, inodesFree: Limits.localNumberMax - 2, dataBytes: 70 })
      .and(sized("/x", 1010))
      .when(statFileSystem).answers({ inodes: 2, inodesFree: Limits.localNumberMax - 2, dataBytes: 10 })
  })

  it("counts files without a name while they are open, and gives no number back", () => {
    given(file("/x"), written("/x", 0, 70), opened("/x", "h"), removed("/x", "x"))
      .when(statFileSystem).answers({ inodes: 2, inodesFree: Limits.localNumberMax - 2, dataBytes: 70 })
      .when(ask(root, "release", ({ the }) => ({ inode: the("x"), handle: the("h") })))
      .happens(({ the }) => [{ _tag: "FileReleased", session: root.session, handle: the("h") }])
      .when(statFileSystem).answers({ inodes: 1, inodesFree: Limits.localNumberMax - 2, dataBytes: 0 })
  })
})
