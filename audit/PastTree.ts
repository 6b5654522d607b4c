/**
 * The tree of a replayed zone: paths, listings, and what differs between two points in time.
 */
import type { Attributes } from "#domain/Attributes.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Mode from "#domain/Mode.ts"
import type { Inode } from "#domain/state/Inode.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import * as Timestamp from "#domain/Timestamp.ts"

/** The inode at the names below the zone's root, as root saw it; links are not followed. */
export const find = (state: ZoneState, names: ReadonlyArray<ByteString>): Inode | undefined => {
  let at = state.inode(InodeNumber.rootOf(state.zone))
  for (const name of names) {
    const number = at?.entries?.get(name)
    at = number === undefined ? undefined : state.inode(number)
    if (at === undefined) return undefined
  }
  return at
}

export interface PastEntry {
  readonly name: ByteString
  readonly attributes: Attributes
  /** Of a symbolic link; else empty. */
  readonly target: ByteString
}

export const list = (state: ZoneState, folder: Inode): ReadonlyArray<PastEntry> => {
  const entries: Array<PastEntry> = []
  folder.entries?.walk("", (name, number) => {
    const inode = state.expect(number)
    entries.push({ name, attributes: inode.attributes(), target: inode.target })
    return true
  })
  return entries
}

export interface Difference {
  readonly kind: "added" | "removed" | "moved" | "changed"
  readonly path: ByteString
  /** Where it was before, if it was moved. */
  readonly from: ByteString | undefined
  /** What changed: `size`, `content`, `mode`, `owner`, `mtime`. */
  readonly changes: ReadonlyArray<string>
}

/** What differs below a folder between an earlier state and a later one, in order of paths. */
export const differences = (
  before: ZoneState,
  after: ZoneState,
  names: ReadonlyArray<ByteString>
): ReadonlyArray<Difference> => {
  const old = namesBelow(before, names)
  const now = namesBelow(after, names)
  const out: Array<Difference> = []
  const oldPaths = new Map<number, ByteString>()
  for (const [path, inode] of old) if (now.get(path)?.number !== inode.number) oldPaths.set(inode.number, path)
  for (const [path, inode] of now) {
    const earlier = old.get(path)
    if (earlier?.number === inode.number) {
      const changes = changesBetween(earlier, inode)
      if (changes.length > 0) out.push({ kind: "changed", path, from: undefined, changes })
      continue
    }
    const from = oldPaths.get(inode.number)
    const origin = from === undefined ? undefined : old.get(from)
    oldPaths.delete(inode.number)
    out.push({
      kind: from === undefined ? "added" : "moved",
      path,
      from,
      changes: origin === undefined ? [] : changesBetween(origin, inode)
    })
  }
  for (const path of oldPaths.values()) out.push({ kind: "removed", path, from: undefined, changes: [] })
  return out.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Every name below a folder, and the folder itself, with its inode; paths relative to the zone's root. */
const namesBelow = (state: ZoneState, names: ReadonlyArray<ByteString>): ReadonlyMap<ByteString, Inode> => {
  const out = new Map<ByteString, Inode>()
  const top = find(state, names)
  if (top === undefined) return out
  const pending: Array<readonly [ByteString, Inode]> = [[`/${names.join("/")}`, top]]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [path, inode] = next
    out.set(path, inode)
    inode.entries?.walk("", (name, number) => {
      pending.push([path === "/" ? `/${name}` : `${path}/${name}`, state.expect(number)])
      return true
    })
  }
  return out
}

const changesBetween = (a: Inode, b: Inode): ReadonlyArray<string> => {
  const changes: Array<string> = []
  if (a.size !== b.size) changes.push("size")
  if (JSON.stringify(a.extents) !== JSON.stringify(b.extents)) changes.push("content")
  if (a.mode !== b.mode) changes.push("mode")
  if (a.uid !== b.uid || a.gid !== b.gid) changes.push("owner")
  // A folder's time moves with whatever comes and goes in it, which is listed by itself.
  if (!Mode.isDirectory(b.mode) && Timestamp.compare(a.mtime, b.mtime) !== 0) changes.push("mtime")
  if (JSON.stringify([...a.xattrs ?? []]) !== JSON.stringify([...b.xattrs ?? []])) changes.push("attributes")
  return changes
}
