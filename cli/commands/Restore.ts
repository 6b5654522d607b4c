/**
 * `cadastre restore`: brings back a file or folder as it was. It is copied beside its place under another name, by
 * reference, and then gets its name in one step: what stood there stays whatever happens before, and aside after.
 */
import { Exit, type Run } from "#cli/Command.ts"
import { withClient } from "#cli/Connect.ts"
import * as Moment from "#cli/Moment.ts"
import { bytes, note, plural, sayJson, text } from "#cli/Output.ts"
import * as Progress from "#cli/Progress.ts"
import { duplicate } from "#cli/transfer/Duplicate.ts"
import { Report } from "#cli/transfer/Report.ts"
import { UsageError } from "#cli/UsageError.ts"
import { below, type Found } from "#cli/Walk.ts"
import type { ClientService } from "#client/Client.ts"
import { PosixError } from "#client/ClientError.ts"
import { FileSystem, type FileSystemService, type FsError, join, pathOf, type Resolved } from "#client/FileSystem.ts"
import { type ByteString, fromText } from "#domain/ByteString.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { SNAPSHOTS } from "#domain/Name.ts"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"

export const run: Run = ([given = "/"], options) =>
  withClient(
    options,
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const at = options["at"] as string | undefined
      const snapshot = options["snapshot"] as string | undefined
      if ((at === undefined) === (snapshot === undefined)) {
        return yield* new UsageError({ message: "either --at TIME or --snapshot NAME is wanted" })
      }
      const path = pathOf(given)
      const past = at === undefined ? fs : Moment.fileSystemAt(fs.client, at)
      const source = yield* foundAt(past, snapshot === undefined ? path : yield* inSnapshot(fs, path, snapshot))
      const target = yield* fs.resolve(pathOf((options["to"] as string | undefined) ?? given), false)
      const taken = target.attributes !== undefined
      if (target.name === "") {
        return yield* new UsageError({ message: `${text(target.path)} cannot be replaced; --to names another place` })
      }
      if (taken && options["overwrite"] !== true) {
        const message = `${text(target.path)} is there: --to brings it back beside that, --overwrite puts that aside`
        return yield* new UsageError({ message })
      }
      const asJson = options["json"] === true
      if (options["dryRun"] === true) return yield* foretell(past, source, target, asJson)
      return yield* bring(past, source, target, asJson, options["quiet"] === true)
    })
  )

const foundAt = (fs: FileSystemService, path: ByteString): Effect.Effect<Found, FsError> =>
  Effect.flatMap(fs.resolve(path, false), ({ attributes, name, parent }) =>
    attributes === undefined
      ? Effect.fail(new PosixError({ errno: Errno.ENOENT, operation: "restore", path: text(path) }))
      : Effect.succeed({ path, parent, name, attributes }))

/** The path in the snapshot of that name: of itself, or of the nearest folder above that has one. */
const inSnapshot = (
  fs: FileSystemService,
  path: ByteString,
  snapshot: string
): Effect.Effect<ByteString, FsError | UsageError> =>
  Effect.gen(function*() {
    const names = path.split("/").filter((name) => name !== "")
    for (let count = names.length; count >= 0; count--) {
      const folder = `/${names.slice(0, count).join("/")}`
      const top = join(join(folder, SNAPSHOTS), fromText(snapshot))
      const found = yield* Effect.either(fs.stat(top, true))
      if (found._tag === "Right") return names.slice(count).reduce(join, top)
      const { left } = found
      if (left._tag !== "PosixError" || (left.errno !== Errno.ENOENT && left.errno !== Errno.ENOTDIR)) {
        return yield* left
      }
    }
    return yield* new UsageError({
      message: `neither ${text(path)} nor a folder above it has a snapshot ${snapshot}; cadastre snapshot list --all`
    })
  })

const foretell = (past: FileSystemService, source: Found, target: Resolved, asJson: boolean) =>
  Effect.gen(function*() {
    const sum = { files: 0, folders: 0, bytes: 0 }
    const count = ({ attributes: { mode, size } }: Found): void => {
      if (Mode.isDirectory(mode)) sum.folders++
      else {
        sum.files++
        if (Mode.isRegular(mode)) sum.bytes += size
      }
    }
    count(source)
    if (Mode.isDirectory(source.attributes.mode)) {
      yield* Stream.runForEach(below(past, source.attributes.inode, source.path), (found) =>
        Effect.sync(() => count(found)))
    }
    const aside = target.attributes !== undefined
    if (asJson) {
      sayJson({ dryRun: true, path: text(target.path), ...sum, aside })
    } else {
      const what = `${plural(sum.files, "file")} and ${plural(sum.folders, "folder")} of ${bytes(sum.bytes)}`
      note(`would bring back ${what} as ${text(target.path)}${aside ? ", and put aside what is there" : ""}`)
    }
    return Exit.ok
  })

const bring = (past: FileSystemService, source: Found, target: Resolved, asJson: boolean, quiet: boolean) =>
  Effect.gen(function*() {
    const { name, parent, path } = target
    const { client } = past
    const folder = path.slice(0, path.length - name.length)
    const report = new Report("restored", Progress.start("restore", quiet))
    const half = named(name, `.restoring-${yield* Random.nextIntBetween(0, SUFFIX_MAX)}`)
    yield* duplicate(past, { preserve: true, umask: 0, exact: true }, report)(source, {
      inode: parent,
      path: folder,
      name: half
    })
    if (report.failures > 0) {
      note(`${text(path)} is as it was; what could be brought back is in ${text(join(folder, half))}`)
      return report.finish(asJson)
    }
    const rename = renaming(client, parent, path)
    const stays = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.tapError(effect, () => Effect.sync(() => note(`what was brought back is ${text(join(folder, half))}`)))
    if (target.attributes === undefined) yield* stays(rename(half, name, "keep"))
    else {
      const now = new Date(yield* Clock.currentTimeMillis).toISOString().slice(0, 19)
      const aside = named(name, `.before-restore-${now}Z`)
      yield* stays(rename(half, name, "exchange"))
      yield* rename(half, aside, "keep")
      if (!asJson) note(`what was there is ${text(join(folder, aside))} now`)
    }
    return report.finish(asJson)
  })

const SUFFIX_MAX = 1_000_000_000

/** The name with more at its end, cut to what a name may have. */
const named = (name: ByteString, suffix: string): ByteString =>
  name.slice(0, Limits.nameBytesMax - suffix.length) + suffix

const renaming =
  (client: ClientService, parent: number, path: ByteString) =>
  (fromName: ByteString, toName: ByteString, mode: "keep" | "exchange") =>
    Effect.mapError(
      client.call("rename", { fromParent: parent, fromName, toParent: parent, toName, mode }),
      (error) =>
        error._tag === "PosixError"
          ? new PosixError({ errno: error.errno, operation: "rename", path: text(path) })
          : error
    )
