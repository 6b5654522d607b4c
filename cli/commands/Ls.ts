/** `cadastre ls`: lists folders. */
import { Exit, type Run } from "#cli/Command.ts"
import { withView } from "#cli/Connect.ts"
import { attributesJson, complain, say, sayJson, text } from "#cli/Output.ts"
import {
  type DirectoryEntry,
  FileSystem,
  type FileSystemService,
  type FsError,
  join,
  pathOf
} from "#client/FileSystem.ts"
import type { Attributes } from "#domain/Attributes.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as Mode from "#domain/Mode.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

interface Style {
  readonly long: boolean
  readonly all: boolean
  readonly recursive: boolean
  readonly json: boolean
  readonly heading: boolean
}

export const run: Run = (args, options) =>
  withView(
    options,
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const paths = args.length === 0 ? ["/"] : args
      const recursive = options["recursive"] === true
      const style: Style = {
        long: options["long"] === true,
        all: options["all"] === true,
        recursive,
        json: options["json"] === true,
        heading: recursive || paths.length > 1
      }
      let failures = 0
      for (const given of paths) {
        const path = pathOf(given)
        const stat = yield* Effect.either(fs.stat(path, options["directory"] !== true))
        if (stat._tag === "Left") {
          if (stat.left._tag !== "PosixError") return yield* stat.left
          complain(stat.left.message)
          failures++
        } else if (Mode.isDirectory(stat.right.mode) && options["directory"] !== true) {
          yield* folder(fs, stat.right.inode, path, style)
        } else yield* show(fs, style, path, given, stat.right)
      }
      return failures > 0 ? Exit.failed : Exit.ok
    })
  )

const folder = (fs: FileSystemService, inode: number, path: ByteString, style: Style): Effect.Effect<void, FsError> =>
  Effect.gen(function*() {
    if (style.heading && !style.json) say(`${text(path)}:`)
    const below: Array<DirectoryEntry> = []
    yield* Stream.runForEach(fs.list(inode, path), (entry) => {
      if (!style.all && entry.name.startsWith(".")) return Effect.void
      if (style.recursive && Mode.isDirectory(entry.attributes.mode)) below.push(entry)
      return show(fs, style, join(path, entry.name), text(entry.name), entry.attributes)
    })
    for (const { attributes, name } of below) {
      if (!style.json) say("")
      yield* folder(fs, attributes.inode, join(path, name), style)
    }
  })

const show = (fs: FileSystemService, style: Style, path: ByteString, name: string, attributes: Attributes) =>
  Effect.gen(function*() {
    const target = (style.long || style.json) && Mode.isSymlink(attributes.mode)
      ? text((yield* fs.call("readLink", { inode: attributes.inode }, path)).target)
      : undefined
    if (style.json) {
      sayJson({
        path: text(path),
        name,
        ...attributesJson(fs.client.past.ownOf(attributes)),
        ...target === undefined ? {} : { target }
      })
    } else say(style.long ? longLine(name, attributes, target) : name)
  })

const longLine = (name: string, attributes: Attributes, target: string | undefined): string => {
  const { gid, mode, mtime, nlink, rdev, size, uid } = attributes
  const amount = Mode.isDevice(mode) ? `${rdev >>> 8}, ${rdev & 0xff}` : String(size)
  const columns = [
    Mode.format(mode),
    String(nlink).padStart(3),
    String(uid).padStart(5),
    String(gid).padStart(5),
    amount.padStart(12),
    Timestamp.format(mtime).slice(0, 19).replace("T", " "),
    name
  ]
  return columns.join(" ") + (target === undefined ? "" : ` -> ${target}`)
}
