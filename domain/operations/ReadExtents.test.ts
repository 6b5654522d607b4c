import { Limits } from "#domain/Limits.ts"
import { Access } from "#domain/Session.ts"
import { type Actor, alice, bob, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, fifo, file, forged, opened, removed, sized, written } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, it } from "vitest"

const read = (by: Actor, path: string, offset: number, length: number, label?: string) =>
  ask(by, "readExtents", ({ at, the }) => ({
    inode: at(path),
    handle: label === undefined ? 0 : the(label),
    offset,
    length
  }))

const data = (offset: number, length: number, sliceOffset: number) => ({ the }: World) => [
  { offset, length, slice: the("data of /x"), sliceOffset, sliceBytes: 100 }
]

/** `/x` holds 100 bytes from 50 on, and ends at 200. */
const start = () => given(file("/x", { mode: 0o604 }), written("/x", 50, 100), sized("/x", 200))

describe("the extents of a range", () => {
  it("are cut to the range", () => {
    start()
      .when(read(alice, "/x", 0, 60)).answers((world) => ({ size: 200, length: 60, extents: data(50, 10, 0)(world) }))
      .when(read(alice, "/x", 60, 10)).answers((world) => ({ size: 200, length: 10, extents: data(60, 10, 10)(world) }))
      .when(read(alice, "/x", 150, 10)).answers({ size: 200, length: 10, extents: [] })
  })

  it("end with the file", () => {
    start()
      .when(read(alice, "/x", 140, Number.MAX_SAFE_INTEGER))
      .answers((world) => ({ size: 200, length: 60, extents: data(140, 10, 90)(world) }))
      .when(read(alice, "/x", 200, 10)).answers({ size: 200, length: 0, extents: [] })
      .when(read(alice, "/x", 999, 10)).answers({ size: 200, length: 0, extents: [] })
  })

  it("are none of an empty range, wherever it is", () => {
    start()
      .when(read(alice, "/x", 0, 0)).answers({ size: 200, length: 0, extents: [] })
      .when(read(alice, "/x", 60, 0)).answers({ size: 200, length: 0, extents: [] })
  })

  it("are as many as one reply may carry, up to the next", () => {
    const count = Limits.extentsPerReadMax + 1
    const extents = Array.from({ length: count }, (_, i) => ({
      offset: i * 10 + 3,
      length: 5,
      slice: 1,
      sliceOffset: 0,
      sliceBytes: 5
    }))
    given(
      file("/x"),
      forged((state, { at }) => {
        state.expect(at("/x")).extents = extents
        state.expect(at("/x")).size = count * 10
      })
    )
      .when(read(root, "/x", 0, count * 10))
      .answers({ size: count * 10, length: Limits.extentsPerReadMax * 10 + 3, extents: extents.slice(0, -1) })
  })

  it("are for who may read, now or by a handle", () => {
    given(
      file("/x", { mode: 0o602 }),
      opened("/x", "r"),
      opened("/x", "w", alice, Access.write),
      removed("/x", "x"),
      file("/x", { mode: 0o602 })
    )
      .when(read(alice, "/x", 0, 1)).refuses("EACCES")
      .when(read(alice, "/x", 0, 1, "w")).refuses("EBADF")
      .when(read(bob, "/x", 0, 1, "r")).refuses("EBADF")
      .when(ask(alice, "readExtents", ({ the }) => ({ inode: the("x"), handle: the("w"), offset: 0, length: 1 })))
      .refuses("EBADF")
      .when(ask(root, "readExtents", ({ the }) => ({ inode: the("x"), handle: the("r"), offset: 0, length: 1 })))
      .answers({ size: 0, length: 0, extents: [] })
  })

  it("are of regular files alone", () => {
    given(directory("/d"), fifo("/p"))
      .when(read(root, "/d", 0, 1)).refuses("EISDIR")
      .when(read(root, "/p", 0, 1)).refuses("EINVAL")
      .when(ask(root, "readExtents", { inode: 99, handle: 0, offset: 0, length: 1 })).refuses("ESTALE")
  })
})
