/** `cadastre tree`: draws a folder and what is below it. */
import { Exit, type Run } from "#cli/Command.ts"
import { withView } from "#cli/Connect.ts"
import { attributesJson, plural, say, sayJson, text } from "#cli/Output.ts"
import {
  type DirectoryEntry,
  FileSystem,
  type FileSystemService,
  type FsError,
  join,
  pathOf
} from "#client/FileSystem.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as Mode from "#domain/Mode.ts"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

interface Counts {
  files: number
  folders: number
}

export const run: Run = (args, options) =>
  withView(
    options,
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const path = pathOf(args[0] ?? "/")
      const { inode } = yield* fs.stat(path, true)
      const counts: Counts = { files: 0, folders: 0 }
      const asJson = options["json"] === true
      if (!asJson) say(text(path))
      yield* draw(
        fs,
        inode,
        path,
        "",
        (options["level"] as number | undefined) ?? Number.POSITIVE_INFINITY,
        counts,
        asJson
      )
      if (!asJson) say(`\n${plural(counts.folders, "folder")}, ${plural(counts.files, "file")}`)
      return Exit.ok
    })
  )

const draw = (
  fs: FileSystemService,
  inode: number,
  path: ByteString,
  indent: string,
  levels: number,
  counts: Counts,
  asJson: boolean
): Effect.Effect<void, FsError> =>
  Effect.gen(function*() {
    if (levels <= 0) return
    let held: DirectoryEntry | undefined
    const branch = (entry: DirectoryEntry, last: boolean) =>
      Effect.gen(function*() {
        const { attributes, name } = entry
        const target = Mode.isSymlink(attributes.mode)
          ? text((yield* fs.call("readLink", { inode: attributes.inode }, path)).target)
          : undefined
        const at = join(path, name)
        if (asJson) {
          sayJson({
            path: text(at),
            ...attributesJson(fs.client.past.ownOf(attributes)),
            ...target === undefined ? {} : { target }
          })
        } else say(`${indent}${last ? "└── " : "├── "}${text(name)}${target === undefined ? "" : ` -> ${target}`}`)
        if (!Mode.isDirectory(attributes.mode)) {
          counts.files++
          return
        }
        counts.folders++
        yield* draw(fs, attributes.inode, at, `${indent}${last ? "    " : "│   "}`, levels - 1, counts, asJson)
      })
    // One entry late, because the last one is drawn otherwise.
    yield* Stream.runForEach(fs.list(inode, path), (entry) => {
      const before = held
      held = entry
      return before === undefined ? Effect.void : branch(before, false)
    })
    if (held !== undefined) yield* branch(held, true)
  })
