/** `cadastre mkdir`: makes folders. */
import { Exit, type Run } from "#cli/Command.ts"
import { withClient } from "#cli/Connect.ts"
import { complain, sayJson, text } from "#cli/Output.ts"
import { UsageError } from "#cli/UsageError.ts"
import { PosixError } from "#client/ClientError.ts"
import { FileSystem, type FileSystemService, join, pathOf, split } from "#client/FileSystem.ts"
import type { ByteString } from "#domain/ByteString.ts"
import { Errno } from "#domain/Errno.ts"
import * as Mode from "#domain/Mode.ts"
import * as Effect from "effect/Effect"

export const run: Run = (paths, options) =>
  withClient(
    options,
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const mode = yield* parseMode(options["mode"] as string | undefined)
      let failures = 0
      for (const given of paths) {
        const path = pathOf(given)
        const make = options["parents"] === true ? withParents(fs, path, mode) : one(fs, path, mode)
        const made = yield* Effect.either(make)
        if (made._tag === "Right") {
          if (options["json"] === true) sayJson({ path: text(path), inode: made.right })
          continue
        }
        if (made.left._tag !== "PosixError") return yield* made.left
        complain(made.left.message)
        failures++
      }
      return failures > 0 ? Exit.failed : Exit.ok
    })
  )

interface Wanted {
  readonly mode: number
  readonly umask: number
  /** Given explicitly, and so set whatever the umask is. */
  readonly exact: boolean
}

const parseMode = (given: string | undefined): Effect.Effect<Wanted, UsageError> => {
  if (given === undefined) return Effect.succeed({ mode: Mode.RWX, umask: process.umask(), exact: false })
  if (!/^[0-7]{1,4}$/.test(given)) return Effect.fail(new UsageError({ message: `${given} is no octal mode` }))
  return Effect.succeed({ mode: Number.parseInt(given, 8), umask: 0, exact: true })
}

const one = (fs: FileSystemService, path: ByteString, { exact, mode, umask }: Wanted) =>
  Effect.gen(function*() {
    const { attributes: standing, name, parent } = yield* fs.resolve(path, false)
    if (standing !== undefined) {
      return yield* new PosixError({ errno: Errno.EEXIST, operation: "mkdir", path: text(path) })
    }
    const { attributes } = yield* fs.call("makeDirectory", { parent, name, mode, umask }, path)
    const { inode } = attributes
    if (exact && (attributes.mode & Mode.PERMISSIONS) !== mode) {
      const kept = { uid: undefined, gid: undefined, size: undefined, atime: undefined, mtime: undefined }
      yield* fs.call("setAttributes", { inode, handle: 0, mode, ...kept }, path)
    }
    return inode
  })

/** Those above get the usual mode, as with `mkdir -p`. */
const withParents = (fs: FileSystemService, path: ByteString, wanted: Wanted) =>
  Effect.gen(function*() {
    let at: ByteString = "/"
    let inode = 0
    const names = split(path)
    for (const [index, name] of names.entries()) {
      at = join(at, name)
      const { attributes } = yield* fs.resolve(at, true)
      if (attributes !== undefined && Mode.isDirectory(attributes.mode)) {
        inode = attributes.inode
        continue
      }
      const last = index === names.length - 1
      inode = yield* one(fs, at, last ? wanted : { mode: Mode.RWX, umask: process.umask(), exact: false })
    }
    return inode
  })
