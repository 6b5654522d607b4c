/** `cadastre put`: copies local files and folders, or standard input, into the file system. */
import { Exit, type Run } from "#cli/Command.ts"
import { withClient } from "#cli/Connect.ts"
import * as LocalFiles from "#cli/local/LocalFiles.ts"
import { note } from "#cli/Output.ts"
import * as Progress from "#cli/Progress.ts"
import * as Target from "#cli/Target.ts"
import { Report } from "#cli/transfer/Report.ts"
import { upload } from "#cli/transfer/Upload.ts"
import { UsageError } from "#cli/UsageError.ts"
import { command, settle } from "#client/Client.ts"
import { DataError } from "#client/ClientError.ts"
import { FileSystem } from "#client/FileSystem.ts"
import * as FileWriter from "#client/FileWriter.ts"
import { fromBytes, toText } from "#domain/ByteString.ts"
import type { Outcome } from "#domain/codec/MessageCodec.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import * as NodeStream from "@effect/platform-node-shared/NodeStream"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Path from "node:path"

export const run: Run = (args, options) =>
  withClient(
    options,
    Effect.gen(function*() {
      const { sources, target } = yield* Target.splitArguments(args)
      if (sources.includes("-")) {
        if (sources.length > 1) return yield* new UsageError({ message: "- (standard input) is put alone" })
        return yield* fromInput(target, options["json"] === true)
      }
      const fs = yield* FileSystem
      const into = yield* Target.find(target, sources.length)
      const local = LocalFiles.open()
      if (!local.exact) note("the native part is not built: times are kept to the microsecond (apt-get install g++)")
      const report = new Report("put", Progress.start("put", options["quiet"] === true))
      const settings = {
        preserve: options["preserve"] !== false,
        checksum: options["checksum"] === true,
        umask: process.umask()
      }
      const named = sources.map((source) => {
        const path = Path.resolve(source)
        return { local: Buffer.from(path), name: into.name ?? fromBytes(Buffer.from(Path.basename(path))) }
      })
      yield* upload(fs, local, settings, report)(named, into).pipe(
        Effect.ensuring(Effect.sync(() => report.progress.stop()))
      )
      return report.finish(options["json"] === true)
    })
  )

/** Standard input becomes one file, which appears when it is whole. */
const fromInput = (target: string, asJson: boolean) =>
  Effect.scoped(Effect.gen(function*() {
    const fs = yield* FileSystem
    const { inode: parent, name, path } = yield* Target.find(target, 1)
    if (name === undefined) return yield* new UsageError({ message: `${target} is a folder; name the file to make` })
    const report = new Report("put", Progress.start("put", asJson))
    const writer = yield* FileWriter.make(fs.client, fs.numbers, InodeNumber.zoneOf(parent))
    const input = NodeStream.fromReadable<DataError, Uint8Array>(
      () => process.stdin,
      (cause) => new DataError({ path: "standard input", reason: String(cause), damaged: false })
    )
    let size = 0
    yield* Stream.runForEach(input, (bytes) => {
      size += bytes.length
      report.progress.add(0, bytes.length)
      return writer.write(bytes)
    })
    const pieces = yield* writer.finish
    const mode = Mode.S_IRWXU | Mode.S_IRWXG | Mode.S_IRWXO
    const created = command("create", {
      parent,
      name,
      mode: mode & 0o666,
      umask: process.umask(),
      exclusive: false,
      truncate: true,
      access: 0
    })
    const writes = pieceWrites(pieces)
    const outcomes = yield* fs.client.callAll([created, ...writes])
    for (const [index, outcome] of outcomes.entries()) {
      yield* settle(index === 0 ? "create" : "write", outcome as Outcome, toText(path + name))
    }
    report.done(size)
    report.finish(asJson)
    return Exit.ok
  }))

const pieceWrites = (pieces: ReadonlyArray<FileWriter.Piece>) => {
  const writes = []
  let offset = 0
  for (let at = 0; at < pieces.length; at += Limits.extentsPerWriteMax) {
    const part = pieces.slice(at, at + Limits.extentsPerWriteMax)
    writes.push(command("write", { inode: -1 - writes.length, handle: 0, offset, append: false, pieces: part }))
    for (const { length } of part) offset += length
  }
  return writes
}
