/**
 * Where copies go: into a folder that is there, or under a name that is not, as `cp` has it.
 */
import { UsageError } from "#cli/UsageError.ts"
import { PosixError } from "#client/ClientError.ts"
import { type FsError } from "#client/FileSystem.ts"
import { FileSystem, join, pathOf } from "#client/FileSystem.ts"
import { type ByteString, toText } from "#domain/ByteString.ts"
import { Errno } from "#domain/Errno.ts"
import * as Mode from "#domain/Mode.ts"
import * as Effect from "effect/Effect"

/** The folder to copy into, and the name to give a single source; undefined to keep the sources' names. */
export interface Target {
  readonly inode: number
  readonly path: ByteString
  readonly name: ByteString | undefined
}

/** Splits `SOURCES... TARGET`. */
export const splitArguments = (
  args: ReadonlyArray<string>
): Effect.Effect<{ readonly sources: ReadonlyArray<string>; readonly target: string }, UsageError> => {
  const target = args[args.length - 1]
  if (target === undefined || args.length < 2) {
    return Effect.fail(new UsageError({ message: "sources and a target are wanted; see --help" }))
  }
  return Effect.succeed({ sources: args.slice(0, -1), target })
}

export const find = (text: string, sources: number): Effect.Effect<Target, FsError | UsageError, FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem
    const path = pathOf(text)
    const { attributes, name, parent } = yield* fs.resolve(path, true)
    if (attributes !== undefined && Mode.isDirectory(attributes.mode)) {
      return { inode: attributes.inode, path, name: undefined }
    }
    if (sources > 1) {
      return yield* new UsageError({ message: `${text}: several sources need a folder that is there` })
    }
    if (text.endsWith("/")) {
      return yield* new PosixError({ errno: Errno.ENOENT, operation: "open", path: toText(path) })
    }
    return { inode: parent, path: path.slice(0, path.length - name.length), name }
  })

/** The path that a source gets. */
export const pathIn = (target: Target, name: ByteString): ByteString => join(target.path, target.name ?? name)
