/** `cadastre cat`: prints files. */
import { Exit, type Run } from "#cli/Command.ts"
import { withView } from "#cli/Connect.ts"
import { PosixError } from "#client/ClientError.ts"
import { FileSystem, pathOf } from "#client/FileSystem.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export const run: Run = (paths, options) =>
  withView(
    options,
    Effect.gen(function*() {
      const offset = (options["offset"] as number | undefined) ?? 0
      const length = (options["length"] as number | undefined) ?? Limits.fileBytesMax - offset
      for (const path of paths) yield* printFile(path, offset, length)
      return Exit.ok
    })
  )

/** A range of a file on standard output, no faster than its reader takes it. */
export const printFile = (text: string, offset: number, length: number) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem
    const path = pathOf(text)
    const attributes = yield* fs.stat(path, true)
    if (Mode.isDirectory(attributes.mode)) {
      return yield* new PosixError({ errno: Errno.EISDIR, operation: "read", path: text })
    }
    yield* Stream.runForEach(fs.read(attributes.inode, path, offset, length), print)
  })

const print = (bytes: Uint8Array): Effect.Effect<void> =>
  Effect.async((resume) => {
    process.stdout.write(bytes, () => resume(Effect.void))
  })
