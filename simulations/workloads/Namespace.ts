/** Names come and go in a few directories, by several clients at a time: every operation on entries, few names. */
import * as Mode from "#domain/Mode.ts"
import type { Hands, Workload } from "#simulations/workloads/Hands.ts"
import * as Effect from "effect/Effect"

const NAMES = ["a", "b", "c", "d", "e"]

export const namespace: Workload = (hands) => {
  const { dice } = hands
  const parent = dice.of(hands.known.directories)
  const name = dice.of(NAMES)
  switch (dice.below(16)) {
    case 0:
    case 1:
    case 2:
      return create(hands, parent, name, dice.chance(50))
    case 3:
    case 4:
      return makeDirectory(hands, parent, name)
    case 5:
      return Effect.asVoid(hands.call("makeSymlink", { parent, name, target: "somewhere" }))
    case 6:
      return Effect.asVoid(
        hands.call("makeNode", { parent, name, mode: Mode.S_IFIFO | 0o600, umask: 0o022, rdev: 0 })
      )
    case 7:
    case 8:
      return Effect.asVoid(hands.call("unlink", { parent, name }))
    case 9:
      return Effect.asVoid(hands.call("removeDirectory", { parent, name }))
    case 10:
      return list(hands, parent)
    case 11:
      return link(hands, parent, name)
    case 12:
      return rename(hands)
    default:
      return lookup(hands, parent, name)
  }
}

export const create = ({ call, known }: Hands, parent: number, name: string, exclusive: boolean): Effect.Effect<void> =>
  call("create", { parent, name, mode: 0o644, umask: 0, exclusive, truncate: false, access: 0 }).pipe(
    Effect.map((reply) => {
      if (reply !== undefined) known.addFile(reply.attributes.inode)
    })
  )

const makeDirectory = ({ call, known }: Hands, parent: number, name: string): Effect.Effect<void> =>
  Effect.map(call("makeDirectory", { parent, name, mode: 0o755, umask: 0 }), (reply) => {
    if (reply !== undefined) known.addDirectory(reply.attributes.inode)
  })

export const lookup = ({ call, known }: Hands, parent: number, name: string): Effect.Effect<void> =>
  Effect.map(call("lookup", { parent, name }), (reply) => {
    if (reply === undefined) return
    const { inode, mode } = reply.attributes
    if ((mode & Mode.S_IFMT) === Mode.S_IFDIR) known.addDirectory(inode)
    else if ((mode & Mode.S_IFMT) === Mode.S_IFREG) known.addFile(inode)
  })

/** In one page or in several. */
export const list = ({ call, dice }: Hands, inode: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const count = dice.chance(50) ? 1000 : 1 + dice.below(4)
    for (let after = "", end = false; !end;) {
      const page = yield* call("readDirectory", { inode, handle: 0, after, count, plus: false })
      after = page?.entries.at(-1)?.name ?? ""
      end = page?.end !== false || after === ""
    }
  })

const link = (hands: Hands, parent: number, name: string): Effect.Effect<void> => {
  const { files } = hands.known
  return files.length === 0
    ? create(hands, parent, name, true)
    : Effect.asVoid(hands.call("link", { inode: hands.dice.of(files), parent, name }))
}

/** Any name to any other, in any two directories, replacing, keeping or exchanging. */
export const rename = ({ call, dice, known }: Hands): Effect.Effect<void> =>
  Effect.asVoid(call("rename", {
    fromParent: dice.of(known.directories),
    fromName: dice.of(NAMES),
    toParent: dice.of(known.directories),
    toName: dice.of(NAMES),
    mode: dice.of(["replace", "replace", "keep", "exchange"] as const)
  }))
