import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import type { RequestOf } from "#domain/Operations.ts"
import { Access } from "#domain/Session.ts"
import { type Actor, alice, bob, carol, root, STAFF } from "#domain/testing/Actors.ts"
import { attributesSet } from "#domain/testing/Events.ts"
import { Given, given, perform, type Step } from "#domain/testing/Given.ts"
import { directory, fifo, file, opened, removed, reserved, sized, xattr } from "#domain/testing/Steps.ts"
import { ask, World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

type Piece = RequestOf<"write">["pieces"][number]

const SLICE = 1000

/** A part of the n-th reserved slice; with no slice, a hole. */
const piece = (length: number, slice?: number, sliceOffset = 0) => (world: World): Piece => ({
  length,
  slice: slice === undefined ? 0 : world.the("slices") + slice,
  sliceOffset,
  sliceBytes: slice === undefined ? 0 : SLICE
})

const write = (
  by: Actor,
  path: string,
  offset: number,
  pieces: ReadonlyArray<(world: World) => Piece>,
  fields: Partial<RequestOf<"write">> = {}
) =>
  ask(by, "write", (world) => ({
    inode: world.at(path),
    handle: 0,
    offset,
    append: false,
    pieces: pieces.map((piece) => piece(world)),
    ...fields
  }))

const through = (label: string, by: Actor, path: string) =>
  ask(by, "write", (world) => ({
    inode: world.at(path),
    handle: world.the(label),
    offset: 0,
    append: false,
    pieces: [piece(5, 0)(world)]
  }))

/** A range of the file holds one part of a slice. */
const holds = (path: string, offset: number, length: number, slice: number, sliceOffset = 0) => (world: World) => [
  {
    _tag: "ContentReplaced",
    inode: world.at(path),
    offset,
    length,
    extents: [{ offset, length, slice: world.the("slices") + slice, sliceOffset, sliceBytes: SLICE }],
    extends: true
  } as const
]

/** Where the file's data is: first byte, bytes, n-th slice, first byte in it. */
const layout = (world: World, path: string) =>
  world.find(path).extents.map((
    { length, offset, slice, sliceOffset }
  ) => [offset, length, slice - world.the("slices"), sliceOffset])

const start = (...steps: ReadonlyArray<Step>) => given(reserved("slices", 4), file("/x", { owner: alice }), ...steps)

describe("write", () => {
  it("puts bytes at an offset, and a hole before them", () => {
    const { world } = start()
      .when(write(alice, "/x", 50, [piece(20, 1, 3)])).happens(holds("/x", 50, 20, 1, 3))
      .replying(({ stat }) => ({ attributes: stat("/x") }))
    expect(world.stat("/x")).toMatchObject({ size: 70, dataBytes: 20, mtime: world.live.time, ctime: world.live.time })
  })

  it("appends at the end that the zone knows, whatever offset it is told", () => {
    const { world } = start()
      .when(write(alice, "/x", 0, [piece(10, 0)])).happens(holds("/x", 0, 10, 0))
      .when(write(alice, "/x", 3, [piece(10, 1)], { append: true })).happens(holds("/x", 10, 10, 1))
      .and(sized("/x", 100))
      .when(write(alice, "/x", 3, [piece(10, 2)], { append: true })).happens(holds("/x", 100, 10, 2))
    expect(world.stat("/x").size).toBe(110)
  })

  it("lays new bytes over old ones", () => {
    const { world } = start()
      .when(write(alice, "/x", 0, [piece(30, 0)])).happens(holds("/x", 0, 30, 0))
      .when(write(alice, "/x", 10, [piece(10, 1)])).happens(holds("/x", 10, 10, 1))
    expect(layout(world, "/x")).toEqual([[0, 10, 0, 0], [10, 10, 1, 0], [20, 10, 0, 20]])
    expect(world.stat("/x")).toMatchObject({ size: 30, dataBytes: 30 })
  })

  it("makes one run of what continues in the file and in its slice", () => {
    const { world } = start()
      .when(write(alice, "/x", 0, [piece(10, 0)])).happens(holds("/x", 0, 10, 0))
      .when(write(alice, "/x", 10, [piece(10, 0, 10)])).happens(holds("/x", 10, 10, 0, 10))
    expect(layout(world, "/x")).toEqual([[0, 20, 0, 0]])
  })

  it("makes no run of parts that disagree about their slice", () => {
    const parts = [piece(10, 0), (world: World) => ({ ...piece(10, 0, 10)(world), sliceBytes: 20 })]
    const { world } = given(reserved("slices", 4), file("/x"))
    perform(world, write(root, "/x", 0, parts))
    expect(layout(world, "/x")).toEqual([[0, 10, 0, 0], [10, 10, 0, 10]])
  })

  it("takes several pieces, holes among them", () => {
    const { world } = start()
      .when(write(alice, "/x", 0, [piece(100, 0)])).happens(holds("/x", 0, 100, 0))
      .when(write(alice, "/x", 10, [piece(5, 1), piece(20), piece(5, 2)]))
      .happens(({ at, the }) => [
        {
          _tag: "ContentReplaced",
          inode: at("/x"),
          offset: 10,
          length: 30,
          extents: [
            { offset: 10, length: 5, slice: the("slices") + 1, sliceOffset: 0, sliceBytes: SLICE },
            { offset: 35, length: 5, slice: the("slices") + 2, sliceOffset: 0, sliceBytes: SLICE }
          ],
          extends: true
        }
      ])
    expect(layout(world, "/x")).toEqual([[0, 10, 0, 0], [10, 5, 1, 0], [35, 5, 2, 0], [40, 60, 0, 40]])
    expect(world.live.dataBytes).toBe(80)
  })

  it("changes nothing if there are no bytes, to who may write", () => {
    start(file("/r"))
      .when(write(alice, "/x", 7, [])).answers(({ stat }) => ({ attributes: stat("/x") }))
      .when(write(alice, "/x", 7, [piece(0)])).answers(({ stat }) => ({ attributes: stat("/x") }))
      .when(write(alice, "/r", 7, [])).refuses("EACCES")
  })

  it("takes set-user-id, set-group-id and capabilities from the file", () => {
    start(file("/s", { mode: 0o6777 }), xattr("/s", "security.capability", "c"))
      .when(write(bob, "/s", 0, [piece(5, 0)]))
      .happens((world) => [
        { _tag: "XattrRemoved", inode: world.at("/s"), name: "security.capability" },
        attributesSet(world.at("/s"), { mode: 0o777 }),
        ...holds("/s", 0, 5, 0)(world)
      ])
      .and(file("/t", { mode: 0o6777 }))
      .when(write(root, "/t", 0, [piece(5, 0)])).happens(holds("/t", 0, 5, 0))
  })

  it("leaves set-group-id that nobody could use to who is in the group", () => {
    start(file("/g", { mode: 0o2666, gid: STAFF }))
      .when(write(bob, "/g", 0, [piece(5, 0)])).happens(holds("/g", 0, 5, 0))
      .when(write(carol, "/g", 0, [piece(5, 0)]))
      .happens((world) => [attributesSet(world.at("/g"), { mode: 0o666 }), ...holds("/g", 0, 5, 0)(world)])
  })

  it("refuses data that is not in its slice", () => {
    const wrong = (fields: Partial<Piece>) =>
      write(alice, "/x", 0, [(world) => ({ ...piece(10, 0)(world), ...fields })])
    start()
      .when(wrong({ sliceOffset: SLICE - 9 })).refuses("EINVAL")
      .when(wrong({ sliceBytes: 9 })).refuses("EINVAL")
      .when(wrong({ sliceBytes: Limits.sliceBytesMax + 1 })).refuses("EINVAL")
      .when(wrong({ length: 0 })).refuses("EINVAL")
      .when(write(alice, "/x", 0, [piece(10, 0), piece(SLICE + 1, 1)])).refuses("EINVAL")
  })

  it("refuses slices of its own zone that nobody was given, and trusts those of others", () => {
    const foreign = { length: 5, slice: InodeNumber.make(7, 12), sliceOffset: 0, sliceBytes: 5 }
    start()
      .when(write(alice, "/x", 0, [piece(10, 4)])).refuses("EINVAL")
      .when(write(alice, "/x", 0, [() => foreign]))
      .happens(({ at }) => [
        {
          _tag: "ContentReplaced",
          inode: at("/x"),
          offset: 0,
          length: 5,
          extents: [{ ...foreign, offset: 0 }],
          extends: true
        }
      ])
  })

  it("refuses the slice before the first one of its zone", () => {
    const pieces = [{ length: 5, slice: InodeNumber.make(1, 0), sliceOffset: 0, sliceBytes: 5 }]
    new Given(World.founded(1))
      .and(file("/x"))
      .when(ask(root, "write", ({ at }) => ({ inode: at("/x"), handle: 0, offset: 0, append: false, pieces })))
      .refuses("EINVAL")
  })

  it("refuses to write beyond the largest offset, and writes up to it", () => {
    start()
      .when(write(alice, "/x", Limits.fileBytesMax - 4, [piece(5, 0)])).refuses("EFBIG")
      .when(write(alice, "/x", Limits.fileBytesMax, [piece(1)])).refuses("EFBIG")
      .when(write(alice, "/x", 0, [piece(Limits.fileBytesMax), piece(Limits.fileBytesMax)])).refuses("EFBIG")
      .when(write(alice, "/x", Limits.fileBytesMax - 4, [piece(5, 9)])).refuses("EFBIG")
      .when(write(alice, "/x", Limits.fileBytesMax - 5, [piece(5, 0)]))
      .happens(holds("/x", Limits.fileBytesMax - 5, 5, 0))
      .when(write(alice, "/x", 0, [piece(1, 0)], { append: true })).refuses("EFBIG")
  })

  it("wants write permission, or a handle that was opened with it", () => {
    start(file("/r", { mode: 0o604 }), opened("/r", "r", alice, Access.read), opened("/x", "w", alice, Access.write))
      .when(write(alice, "/r", 0, [piece(5, 0)])).refuses("EACCES")
      .when(through("r", alice, "/r")).refuses("EBADF")
      .when(through("w", alice, "/r")).refuses("EBADF")
      .when(through("w", bob, "/x")).refuses("EBADF")
      .when(through("w", alice, "/x")).happens(holds("/x", 0, 5, 0))
  })

  it("writes to a file without a name by its handle", () => {
    const { world } = start(opened("/x", "w"), removed("/x", "x"))
    expect(world.live.expect(world.the("x")).size).toBe(0)
    new Given(world)
      .when(ask(root, "write", (world) => ({
        inode: world.the("x"),
        handle: world.the("w"),
        offset: 0,
        append: true,
        pieces: [piece(5)(world)]
      })))
      .happens(({ the }) => [
        { _tag: "ContentReplaced", inode: the("x"), offset: 0, length: 5, extents: [], extends: true }
      ])
  })

  it("refuses what is no regular file, and what is not there", () => {
    start(directory("/d"), fifo("/p", { mode: 0o600 }))
      .when(write(alice, "/d", 0, [])).refuses("EISDIR")
      .when(write(alice, "/p", 0, [])).refuses("EINVAL")
      .when(ask(alice, "write", { inode: 99, handle: 0, offset: 0, append: false, pieces: [] })).refuses("ESTALE")
      .when(ask(alice, "write", { inode: 99, handle: 5, offset: 0, append: false, pieces: [] })).refuses("EBADF")
  })
})
