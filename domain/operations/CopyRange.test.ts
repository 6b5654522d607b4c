import type { Extent } from "#domain/Extents.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import { Access } from "#domain/Session.ts"
import { type Actor, alice, root } from "#domain/testing/Actors.ts"
import { attributesSet } from "#domain/testing/Events.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, fifo, file, forged, opened, sized, symlink, written } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

interface Part {
  readonly path: string
  readonly offset: number
  readonly handle?: string
}

const copy = (by: Actor, source: Part, target: Part, length: number) =>
  ask(by, "copyRange", ({ at, the }) => ({
    source: at(source.path),
    sourceHandle: source.handle === undefined ? 0 : the(source.handle),
    sourceOffset: source.offset,
    target: at(target.path),
    targetHandle: target.handle === undefined ? 0 : the(target.handle),
    targetOffset: target.offset,
    length
  }))

const part = (path: string, offset = 0, handle?: string): Part =>
  handle === undefined ? { path, offset } : { path, offset, handle }

const replaced = (
  path: string,
  offset: number,
  length: number,
  extents: (world: World) => ReadonlyArray<Extent>
) =>
(world: World) => [
  { _tag: "ContentReplaced", inode: world.at(path), offset, length, extents: extents(world), extends: true } as const
]

/** A part of the data of `/a`, somewhere in a file. */
const data = (offset: number, length: number, sliceOffset: number) => ({ the }: World): Extent => ({
  offset,
  length,
  slice: the("data of /a"),
  sliceOffset,
  sliceBytes: 100
})

/** `/a` holds 100 bytes from 50 on, and ends at 200. */
const start = () => given(file("/a"), file("/b"), written("/a", 50, 100), sized("/a", 200))

describe("copy_file_range", () => {
  it("copies data and holes by reference", () => {
    const { world } = start()
      .when(copy(root, part("/a", 40), part("/b", 1000), 30))
      .happens((world) => replaced("/b", 1000, 30, (world) => [data(1010, 20, 0)(world)])(world))
      .replying({ copied: 30 })
    expect(world.stat("/b")).toMatchObject({ size: 1030, dataBytes: 20, mtime: world.live.time })
    expect(world.live.dataBytes).toBe(120)
  })

  it("copies fewer bytes at the source's end, and none past it", () => {
    start()
      .when(copy(root, part("/a", 140), part("/b"), 1000))
      .happens(replaced("/b", 0, 60, (world) => [data(0, 10, 90)(world)])).replying({ copied: 60 })
      .when(copy(root, part("/a", 200), part("/b"), 1000)).answers({ copied: 0 })
      .when(copy(root, part("/a", 900), part("/b"), 1000)).answers({ copied: 0 })
      .when(copy(root, part("/a", 0), part("/b"), 0)).answers({ copied: 0 })
  })

  it("copies holes over data", () => {
    const { world } = start()
      .and(written("/b", 0, 100))
      .when(copy(root, part("/a"), part("/b", 10), 50)).happens(replaced("/b", 10, 50, () => []))
    expect(world.stat("/b").dataBytes).toBe(50)
  })

  it("copies within one file, but not into what it reads", () => {
    start()
      .when(copy(root, part("/a", 50), part("/a", 99), 50)).refuses("EINVAL")
      .when(copy(root, part("/a", 50), part("/a", 50), 1)).refuses("EINVAL")
      .when(copy(root, part("/a", 100), part("/a", 51), 50)).refuses("EINVAL")
      .when(copy(root, part("/a", 50), part("/a", 100), 50))
      .happens(replaced("/a", 100, 50, (world) => [data(100, 50, 0)(world)]))
      .when(copy(root, part("/a", 190), part("/a", 200), 500)).happens(replaced("/a", 200, 10, () => []))
  })

  it("stops at as many extents as one copy may move, and says how far it came", () => {
    const count = Limits.extentsPerReadMax + 10
    const extents = Array.from({ length: count }, (_, i) => ({
      offset: i * 10,
      length: 5,
      slice: 1,
      sliceOffset: 0,
      sliceBytes: 5
    }))
    const { world } = given(
      file("/a"),
      file("/b"),
      forged((state, { at }) => {
        const source = state.expect(at("/a"))
        source.extents = extents
        source.size = count * 10
      })
    )
      .when(copy(root, part("/a"), part("/b"), count * 10))
      .happens(replaced("/b", 0, Limits.extentsPerReadMax * 10, () => extents.slice(0, Limits.extentsPerReadMax)))
      .replying({ copied: Limits.extentsPerReadMax * 10 })
    expect(world.stat("/b").size).toBe(Limits.extentsPerReadMax * 10)
  })

  it("wants as many bytes as the caller likes, of which the source has fewer", () => {
    start()
      .when(copy(root, part("/a", 150), part("/b", 10), Number.MAX_SAFE_INTEGER))
      .happens(replaced("/b", 10, 50, () => [])).replying({ copied: 50 })
  })

  it("copies fewer bytes at the largest offset, and refuses to copy past it", () => {
    start()
      .when(copy(root, part("/a", 0), part("/b", Limits.fileBytesMax), 10)).refuses("EFBIG")
      .when(copy(root, part("/a", 0), part("/b", Limits.fileBytesMax - 4), 10))
      .happens(replaced("/b", Limits.fileBytesMax - 4, 4, () => [])).replying({ copied: 4 })
      .when(copy(root, part("/a", 200), part("/b", Limits.fileBytesMax), 10)).refuses("EFBIG")
  })

  it("takes set-user-id from the target", () => {
    given(file("/a", { mode: 0o644 }), file("/b", { mode: 0o4777 }), sized("/a", 10))
      .when(copy(alice, part("/a"), part("/b"), 10))
      .happens((world) => [
        attributesSet(world.at("/b"), { mode: 0o777 }),
        ...replaced("/b", 0, 10, () => [])(world)
      ])
      .replying({ copied: 10 })
  })

  it("wants to read the source and to write the target, now or by handles", () => {
    given(
      file("/a", { mode: 0o604 }),
      file("/b", { mode: 0o602 }),
      sized("/a", 10),
      opened("/a", "r", alice, Access.read),
      opened("/b", "w", alice, Access.write)
    )
      .when(copy(alice, part("/b"), part("/b"), 1)).refuses("EACCES")
      .when(copy(alice, part("/a"), part("/a", 5), 1)).refuses("EACCES")
      .when(copy(alice, part("/b", 0, "w"), part("/b"), 1)).refuses("EBADF")
      .when(copy(alice, part("/a"), part("/a", 5, "r"), 1)).refuses("EBADF")
      .when(copy(alice, part("/a", 0, "w"), part("/b"), 1)).refuses("EBADF")
      .when(copy(alice, part("/a", 0, "r"), part("/b", 0, "w"), 10)).happens(replaced("/b", 0, 10, () => []))
  })

  it("refuses what is no regular file, directories before anything else", () => {
    given(directory("/d"), fifo("/p"), symlink("/l", "x"), file("/a", { mode: 0o600 }))
      .when(copy(alice, part("/a"), part("/d"), 1)).refuses("EISDIR")
      .when(copy(alice, part("/d"), part("/a"), 1)).refuses("EISDIR")
      .when(copy(alice, part("/p"), part("/a"), 1)).refuses("EINVAL")
      .when(copy(root, part("/a"), part("/p"), 1)).refuses("EINVAL")
      .when(copy(root, part("/a"), part("/l"), 1)).refuses("EINVAL")
  })

  it("refuses what is not there, and sources of another zone", () => {
    const request = { sourceHandle: 0, sourceOffset: 0, targetHandle: 0, targetOffset: 0, length: 1 }
    given(file("/a"))
      .when(ask(root, "copyRange", ({ at }) => ({ ...request, source: 99, target: at("/a") }))).refuses("ESTALE")
      .when(ask(root, "copyRange", ({ at }) => ({ ...request, source: at("/a"), target: 99 }))).refuses("ESTALE")
      .when(ask(root, "copyRange", { ...request, source: InodeNumber.make(1, 5), target: 99 })).refuses("EXDEV")
  })
})
