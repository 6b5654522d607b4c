/** `cadastre audit replay`: the tree as it was at a point in time, and what changed since. */
import * as PastTree from "#audit/PastTree.ts"
import { replay } from "#audit/Replay.ts"
import { Exit, type Run } from "#cli/Command.ts"
import { withAudit } from "#cli/Connect.ts"
import { sequenceAt } from "#cli/Moment.ts"
import { attributesJson, note, plural, say, sayJson, text } from "#cli/Output.ts"
import { UsageError } from "#cli/UsageError.ts"
import { Client, type ClientService } from "#client/Client.ts"
import { PosixError } from "#client/ClientError.ts"
import { join, pathOf, split, ZONES } from "#client/FileSystem.ts"
import type { ByteString } from "#domain/ByteString.ts"
import { Errno } from "#domain/Errno.ts"
import * as Mode from "#domain/Mode.ts"
import type { Inode } from "#domain/state/Inode.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as Effect from "effect/Effect"

export const run: Run = ([what = "ls", given = "/"], options) =>
  withAudit(
    options,
    Effect.gen(function*() {
      const client = yield* Client
      const at = options["at"] as string | undefined
      if (at === undefined) {
        return yield* new UsageError({ message: "--at is wanted: a time, an age as 15m, or an event's number" })
      }
      const { names, zone } = locate(pathOf(given))
      const asJson = options["json"] === true
      const past = yield* stateAt(client, zone, at)
      if (options["quiet"] !== true && !asJson) {
        note(`zone ${zone} at event ${past.sequence}, ${Timestamp.format(past.time)}`)
      }
      if (what === "diff") {
        const to = (options["to"] as string | undefined) ?? "now"
        return yield* showDifferences(past, yield* stateAt(client, zone, to), names, asJson)
      }
      const inode = PastTree.find(past, names)
      if (inode === undefined) return yield* new PosixError({ errno: Errno.ENOENT, operation: what, path: given })
      const show = views[what]
      if (show === undefined) return yield* new UsageError({ message: `${what}: ls, tree, stat or diff is wanted` })
      show(past, inode, pathOf(given), asJson)
      return Exit.ok
    })
  )

const locate = (path: ByteString): { readonly zone: number; readonly names: ReadonlyArray<ByteString> } => {
  const names = split(path)
  const [first, number = ""] = names
  return first === ZONES && /^[0-9]+$/.test(number)
    ? { zone: Number(number), names: names.slice(2) }
    : { zone: 0, names }
}

/** A moment, or the number of an event, to the state after it. */
const stateAt = (client: ClientService, zone: number, at: string) =>
  Effect.gen(function*() {
    const until = yield* sequenceAt(client, zone, at)
    const { state } = yield* replay(client, zone, until)
    if (state.sequence === 0) return yield* new UsageError({ message: `zone ${zone} did not exist at ${at}` })
    return state
  })

type View = (state: ZoneState, inode: Inode, path: ByteString, asJson: boolean) => void

const showEntry = (
  path: ByteString,
  name: ByteString,
  { attributes, target }: PastTree.PastEntry,
  asJson: boolean
): void => {
  if (asJson) {
    sayJson({ path: text(path), ...attributesJson(attributes), ...target === "" ? {} : { target: text(target) } })
    return
  }
  const { gid, mode, mtime, nlink, size, uid } = attributes
  const columns = [
    Mode.format(mode),
    String(nlink).padStart(3),
    String(uid).padStart(5),
    String(gid).padStart(5),
    String(size).padStart(12),
    Timestamp.format(mtime).slice(0, 19).replace("T", " "),
    text(name)
  ]
  say(columns.join(" ") + (target === "" ? "" : ` -> ${text(target)}`))
}

const views: { readonly [what: string]: View } = {
  ls: (state, inode, path, asJson) => {
    const name = split(path).at(-1) ?? "/"
    const entries = inode.entries === undefined
      ? [{ name, attributes: inode.attributes(), target: inode.target }]
      : PastTree.list(state, inode)
    for (const entry of entries) {
      showEntry(inode.entries === undefined ? path : join(path, entry.name), entry.name, entry, asJson)
    }
  },
  tree: (state, inode, path, asJson) => {
    const draw = (folder: Inode, at: ByteString, indent: string): void => {
      const entries = PastTree.list(state, folder)
      for (const [index, entry] of entries.entries()) {
        const last = index === entries.length - 1
        const below = join(at, entry.name)
        if (asJson) showEntry(below, entry.name, entry, true)
        else {say(
            `${indent}${last ? "└── " : "├── "}${text(entry.name)}${
              entry.target === "" ? "" : ` -> ${text(entry.target)}`
            }`
          )}
        draw(state.expect(entry.attributes.inode), below, `${indent}${last ? "    " : "│   "}`)
      }
    }
    if (!asJson) say(text(path))
    draw(inode, path, "")
  },
  stat: (_state, inode, path, asJson) => {
    const found = {
      path: text(path),
      ...attributesJson(inode.attributes()),
      ...inode.target === "" ? {} : { target: text(inode.target) },
      xattrs: [...inode.xattrs?.keys() ?? []].map(text),
      extents: inode.extents
    }
    if (asJson) return sayJson(found)
    for (const [name, value] of Object.entries(found)) {
      say(`${name.padStart(10)}  ${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    }
  }
}

const signs: { readonly [Kind in PastTree.Difference["kind"]]: string } = {
  added: "+",
  removed: "-",
  moved: ">",
  changed: "~"
}

const showDifferences = (
  before: ZoneState,
  after: ZoneState,
  names: ReadonlyArray<ByteString>,
  asJson: boolean
): Effect.Effect<number> =>
  Effect.sync(() => {
    const found = PastTree.differences(before, after, names)
    for (const { changes, from, kind, path } of found) {
      if (asJson) sayJson({ kind, path: text(path), ...from === undefined ? {} : { from: text(from) }, changes })
      else {say(
          `${signs[kind]} ${from === undefined ? "" : `${text(from)} -> `}${text(path)}${
            changes.length === 0 ? "" : `  (${changes.join(", ")})`
          }`
        )}
    }
    if (!asJson) note(plural(found.length, "difference"))
    return Exit.ok
  })
