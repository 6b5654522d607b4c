/**
 * The objects of a store on disk in byte order of their keys, folder by folder.
 * It opens no object, and passes over what is none. It holds the names of the folders on its way, no more.
 */
import type { ObjectInfo } from "#persistence/blocks/BlockStore.ts"
import { codeOf } from "#persistence/blocks/DiskFailure.ts"
import * as ObjectKey from "#persistence/blocks/ObjectKey.ts"
import * as SealedObject from "#persistence/blocks/SealedObject.ts"
import { lstat, readdir } from "node:fs/promises"
import { join } from "node:path"

/** What the file of an object has behind its key. No key contains a `+`. */
export const mark = "+sealed"
/** Objects whose sizes one step looks up. */
const infosPerStep = 256

/** Objects under a prefix, in runs; a run may be empty. */
export const walk = (objects: string, prefix: string): AsyncGenerator<ReadonlyArray<ObjectInfo>> => {
  async function* walkFolder(base: string): AsyncGenerator<ReadonlyArray<ObjectInfo>> {
    let keys: Array<string> = []
    for (const name of await namesUnder(join(objects, base))) {
      const key = `${base}${name}`
      if (!key.startsWith(prefix)) continue
      const isFolder = key.endsWith("/")
      if (!isFolder) keys.push(key)
      if (isFolder || keys.length === infosPerStep) {
        yield infosOf(keys)
        keys = []
      }
      if (isFolder) yield* walkFolder(key)
    }
    yield infosOf(keys)
  }
  const infosOf = async (keys: ReadonlyArray<string>): Promise<ReadonlyArray<ObjectInfo>> => {
    const infos = await Promise.all(keys.map((key) => infoOf(objects, key)))
    return infos.filter((info) => info !== undefined)
  }
  return walkFolder(prefix.slice(0, prefix.lastIndexOf("/") + 1))
}

/** The last segments of keys in a folder, and its folders with a slash behind, in the order of the keys. */
const namesUnder = async (folder: string): Promise<ReadonlyArray<string>> => {
  const entries = await orMissing(readdir(folder, { withFileTypes: true }))
  const names = (entries ?? []).flatMap((entry) => {
    if (entry.isDirectory()) return [`${entry.name}/`]
    return entry.name.endsWith(mark) ? [entry.name.slice(0, -mark.length)] : []
  })
  return names.filter((name) => ObjectKey.isKey(name.replace(/\/$/, ""))).sort()
}

const infoOf = async (objects: string, key: string): Promise<ObjectInfo | undefined> => {
  const found = await orMissing(lstat(join(objects, `${key}${mark}`)))
  return found === undefined ? undefined : { key, bytes: SealedObject.objectBytesOf(found.size) }
}

const orMissing = <A>(promise: Promise<A>): Promise<A | undefined> =>
  promise.catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined
    throw error
  })
