import { Limits } from "#domain/Limits.ts"
import { COLLAPSE_RANGE, INSERT_RANGE, KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE } from "#domain/operations/Allocate.ts"
import { Access } from "#domain/Session.ts"
import { type Actor, alice, root } from "#domain/testing/Actors.ts"
import { attributesSet } from "#domain/testing/Events.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, fifo, file, opened, sized, symlink, written } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const KIB = 1024
const BLOCK = Limits.rangeAlignmentBytes

const allocate = (by: Actor, path: string, mode: number, offset: number, length: number, label?: string) =>
  ask(by, "allocate", ({ at, the }) => {
    const handle = label === undefined ? 0 : the(label)
    return { inode: at(path), handle, mode, offset, length }
  })

const sizeSet = (path: string, size: number) => ({ at }: World) => [
  { _tag: "SizeSet", inode: at(path), size } as const
]

const zeroed = (path: string, offset: number, length: number, grows: boolean) => ({ at }: World) => [
  { _tag: "ContentReplaced", inode: at(path), offset, length, extents: [], extends: grows } as const
]

const shifted = (path: string, offset: number, length: number) => ({ at }: World) => [
  { _tag: "RangeShifted", inode: at(path), offset, length } as const
]

/** Where the file's data is: first byte, bytes, first byte in its slice. */
const layout = (world: World, path: string) =>
  world.find(path).extents.map(({ length, offset, sliceOffset }) => [offset, length, sliceOffset])

const full = () => given(file("/x", { owner: alice }), written("/x", 0, 64 * KIB))

describe("fallocate", () => {
  it("moves the end if that is before the range's", () => {
    const { world } = full()
      .when(allocate(alice, "/x", 0, 0, 10)).happens(sizeSet("/x", 64 * KIB))
      .when(allocate(alice, "/x", 0, 60 * KIB, 10 * KIB)).happens(sizeSet("/x", 70 * KIB)).replying(undefined)
    expect(world.stat("/x")).toMatchObject({ size: 70 * KIB, dataBytes: 64 * KIB, mtime: world.live.time })
  })

  it("leaves the end where it is if it shall", () => {
    full().when(allocate(alice, "/x", KEEP_SIZE, 60 * KIB, 10 * KIB)).happens(sizeSet("/x", 64 * KIB))
  })

  it("punches holes, which do not reach beyond the end", () => {
    const { world } = full()
      .when(allocate(alice, "/x", PUNCH_HOLE | KEEP_SIZE, 10, 20)).happens(zeroed("/x", 10, 20, false))
      .when(allocate(alice, "/x", PUNCH_HOLE | KEEP_SIZE, 60 * KIB, 10 * KIB))
      .happens(zeroed("/x", 60 * KIB, 4 * KIB, false))
      .when(allocate(alice, "/x", PUNCH_HOLE | KEEP_SIZE, 64 * KIB, 1)).happens(sizeSet("/x", 64 * KIB))
    expect(layout(world, "/x")).toEqual([[0, 10, 0], [30, 60 * KIB - 30, 30]])
    expect(world.live.dataBytes).toBe(60 * KIB - 20)
  })

  it("zeroes ranges, and grows the file unless it shall not", () => {
    const { world } = full()
      .when(allocate(alice, "/x", ZERO_RANGE | KEEP_SIZE, 60 * KIB, 8 * KIB))
      .happens(zeroed("/x", 60 * KIB, 4 * KIB, false))
      .when(allocate(alice, "/x", ZERO_RANGE | KEEP_SIZE, 90 * KIB, 1)).happens(sizeSet("/x", 64 * KIB))
      .when(allocate(alice, "/x", ZERO_RANGE, 50 * KIB, 20 * KIB)).happens(zeroed("/x", 50 * KIB, 20 * KIB, true))
    expect(world.stat("/x")).toMatchObject({ size: 70 * KIB, dataBytes: 50 * KIB })
  })

  it("cuts a range out, and what follows moves down", () => {
    const { world } = full()
      .when(allocate(alice, "/x", COLLAPSE_RANGE, 8 * KIB, 4 * KIB)).happens(shifted("/x", 8 * KIB, -4 * KIB))
      .when(allocate(alice, "/x", COLLAPSE_RANGE, 0, 4 * KIB)).happens(shifted("/x", 0, -4 * KIB))
    expect(layout(world, "/x")).toEqual([[0, 4 * KIB, 4 * KIB], [4 * KIB, 52 * KIB, 12 * KIB]])
    expect(world.stat("/x")).toMatchObject({ size: 56 * KIB, dataBytes: 56 * KIB })
  })

  it("inserts a hole, and what follows moves up", () => {
    const { world } = full()
      .when(allocate(alice, "/x", INSERT_RANGE, 8 * KIB, 4 * KIB)).happens(shifted("/x", 8 * KIB, 4 * KIB))
      .when(allocate(alice, "/x", INSERT_RANGE, 0, 4 * KIB)).happens(shifted("/x", 0, 4 * KIB))
    expect(layout(world, "/x")).toEqual([[4 * KIB, 8 * KIB, 0], [16 * KIB, 56 * KIB, 8 * KIB]])
    expect(world.stat("/x")).toMatchObject({ size: 72 * KIB, dataBytes: 64 * KIB })
  })

  it("cuts out and inserts whole blocks before the end alone", () => {
    full()
      .and(sized("/x", 64 * KIB - 5))
      .when(allocate(alice, "/x", COLLAPSE_RANGE, 1, BLOCK)).refuses("EINVAL")
      .when(allocate(alice, "/x", COLLAPSE_RANGE, BLOCK, BLOCK + 1)).refuses("EINVAL")
      .when(allocate(alice, "/x", COLLAPSE_RANGE, 60 * KIB, BLOCK)).refuses("EINVAL")
      .when(allocate(alice, "/x", INSERT_RANGE, 1, BLOCK)).refuses("EINVAL")
      .when(allocate(alice, "/x", INSERT_RANGE, BLOCK, 1)).refuses("EINVAL")
      .when(allocate(alice, "/x", INSERT_RANGE, 64 * KIB, BLOCK)).refuses("EINVAL")
  })

  it("grows no file beyond the largest offset", () => {
    const last = Limits.fileBytesMax - (Limits.fileBytesMax % BLOCK)
    full()
      .when(allocate(alice, "/x", 0, Limits.fileBytesMax, 1)).refuses("EFBIG")
      .when(allocate(alice, "/x", PUNCH_HOLE | KEEP_SIZE, 1, Limits.fileBytesMax)).refuses("EFBIG")
      .when(allocate(alice, "/x", INSERT_RANGE, 0, last)).refuses("EFBIG")
      .when(allocate(alice, "/x", INSERT_RANGE, BLOCK, last - BLOCK)).refuses("EFBIG")
      .when(allocate(alice, "/x", 0, 0, Limits.fileBytesMax)).happens(sizeSet("/x", Limits.fileBytesMax))
  })

  it.each([
    ["a hole that grows the file", PUNCH_HOLE],
    ["a cut that keeps the size", COLLAPSE_RANGE | KEEP_SIZE],
    ["an insertion that keeps the size", INSERT_RANGE | KEEP_SIZE],
    ["two modes", COLLAPSE_RANGE | INSERT_RANGE],
    ["unsharing", 0x40],
    ["an unheard of mode", 0x8000_0000]
  ])("does not know %s", (_, mode) => {
    full().when(allocate(alice, "/x", mode, 0, BLOCK)).refuses("EOPNOTSUPP")
  })

  it("takes set-user-id from the file", () => {
    given(file("/x", { mode: 0o4777 }))
      .when(allocate(alice, "/x", 0, 0, 5))
      .happens((world) => [attributesSet(world.at("/x"), { mode: 0o777 }), ...sizeSet("/x", 5)(world)])
  })

  it("wants write permission, or a handle that was opened with it", () => {
    given(file("/x", { mode: 0o604 }), opened("/x", "r", alice, Access.read), opened("/x", "w"))
      .when(allocate(alice, "/x", 0, 0, 5)).refuses("EACCES")
      .when(allocate(alice, "/x", 0, 0, 5, "r")).refuses("EBADF")
      .when(allocate(root, "/x", 0, 0, 5, "w")).happens(sizeSet("/x", 5))
  })

  it("refuses what has no room to give, each in Linux's way", () => {
    given(directory("/d"), fifo("/p"), symlink("/l", "x"))
      .when(allocate(root, "/d", 0, 0, 5)).refuses("EISDIR")
      .when(allocate(root, "/p", 0, 0, 5)).refuses("ESPIPE")
      .when(allocate(root, "/l", 0, 0, 5)).refuses("ENODEV")
      .when(ask(root, "allocate", { inode: 99, handle: 0, mode: 0, offset: 0, length: 1 })).refuses("ESTALE")
  })

  it("refuses in the order of Linux when more than one thing is wrong", () => {
    given(file("/x", { mode: 0o600 }), fifo("/p"))
      .when(allocate(alice, "/x", 0x40, 0, 0)).refuses("EINVAL")
      .when(allocate(alice, "/x", 0x40, 0, 1)).refuses("EOPNOTSUPP")
      .when(allocate(alice, "/x", 0, Limits.fileBytesMax, 1)).refuses("EACCES")
      .when(allocate(root, "/p", 0, Limits.fileBytesMax, 1)).refuses("ESPIPE")
      .when(allocate(root, "/x", INSERT_RANGE, Limits.fileBytesMax, 1)).refuses("EFBIG")
      .when(allocate(root, "/x", INSERT_RANGE, 1, 1)).refuses("EINVAL")
  })
})
