/**
 * The objects of a store on disk in byte order of their keys, folder by folder.
 * It opens no object, and passes over what is none. It holds the names of the folders on its way, no more.
 */
import type { ObjectInfo } from "#persistence/blocks/BlockStore.ts"
import type { FileFailure, Files } from "#persistence/blocks/Files.ts"
import * as ObjectKey from "#persistence/blocks/ObjectKey.ts"
import * as SealedObject from "#persistence/blocks/SealedObject.ts"
import * as Effect from "effect/Effect"
import { join } from "node:path"

/** What the file of an object has behind its key. No key contains a `+`. */
export const mark = "+sealed"
/** Objects whose sizes one step looks up. */
const infosPerStep = 256

/** How far a walk has come. */
export interface Place {
  /** The folder, as its keys begin. */
  readonly base: string
  /** What is in the folder, once it has been read. */
  readonly names: ReadonlyArray<string> | undefined
  /** Index of the first name that was not passed yet. */
  readonly next: number
  /** Where the walk goes on after this folder. */
  readonly after: Place | undefined
}

/** Before the first object under a prefix. */
export const begin = (prefix: string): Place => enter(prefix.slice(0, prefix.lastIndexOf("/") + 1), undefined)

/** The next run of objects, which may be empty, and where the walk goes on, if it does. */
export const step = (
  files: Files,
  objects: string,
  prefix: string,
  place: Place
): Effect.Effect<readonly [ReadonlyArray<ObjectInfo>, Place | undefined], FileFailure> =>
  Effect.gen(function*() {
    const { base, next } = place
    const all = place.names ?? (yield* namesUnder(files, join(objects, base)))
    const names = place.names === undefined ? all.filter((name) => `${base}${name}`.startsWith(prefix)) : all
    let end = next
    while (end < names.length && end - next < infosPerStep && !isFolder(names[end])) end++
    const keys = names.slice(next, end).map((name) => `${base}${name}`)
    const sizes = yield* files.sizes(keys.map((key) => join(objects, `${key}${mark}`)))
    return [infosOf(keys, sizes), following({ ...place, names, next: end }, names[end])]
  })

const following = (place: Place, name: string | undefined): Place | undefined => {
  if (name === undefined) return place.after
  return isFolder(name) ? enter(`${place.base}${name}`, { ...place, next: place.next + 1 }) : place
}

const enter = (base: string, after: Place | undefined): Place => ({ base, names: undefined, next: 0, after })

const isFolder = (name: string | undefined): boolean => name?.endsWith("/") === true

/** The last segments of keys in a folder, and its folders with a slash behind, in the order of the keys. */
const namesUnder = (files: Files, folder: string): Effect.Effect<ReadonlyArray<string>, FileFailure> =>
  Effect.map(orEmpty(files.entries(folder)), (entries) => {
    const names = entries.flatMap((entry) => {
      if (entry.isDirectory()) return [`${entry.name}/`]
      return entry.name.endsWith(mark) ? [entry.name.slice(0, -mark.length)] : []
    })
    return names.filter((name) => ObjectKey.isKey(name.replace(/\/$/, ""))).sort()
  })

/** Those that are still there. */
const infosOf = (
  keys: ReadonlyArray<string>,
  sizes: ReadonlyArray<number | undefined>
): ReadonlyArray<ObjectInfo> =>
  keys.flatMap((key, index) => {
    const bytes = sizes[index]
    return bytes === undefined ? [] : [{ key, bytes: SealedObject.objectBytesOf(bytes) }]
  })

/** A folder that was removed meanwhile holds nothing. */
const orEmpty = <A>(io: Effect.Effect<ReadonlyArray<A>, FileFailure>): Effect.Effect<ReadonlyArray<A>, FileFailure> =>
  Effect.catchAll(io, (failure) => failure.code === "ENOENT" ? Effect.succeed([]) : Effect.fail(failure))
