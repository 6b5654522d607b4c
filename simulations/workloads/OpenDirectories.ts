/** Directories are opened, removed, and must take no names then, whoever still has them open. */
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Access } from "#domain/Session.ts"
import type { Workload } from "#simulations/workloads/Hands.ts"
import { create, list } from "#simulations/workloads/Namespace.ts"
import * as Effect from "effect/Effect"

export const openDirectories: Workload = (hands) =>
  Effect.gen(function*() {
    const { call, client, dice } = hands
    const parent = InodeNumber.rootOf(dice.below(client.info.zones))
    const name = `opened${dice.below(4)}`
    const made = yield* call("makeDirectory", { parent, name, mode: 0o755, umask: 0 })
    if (made === undefined) return yield* Effect.asVoid(call("removeDirectory", { parent, name }))
    const { inode } = made.attributes
    const opened = yield* call("open", { inode, access: Access.read, truncate: false })
    yield* call("removeDirectory", { parent, name })
    yield* create(hands, inode, "inside", dice.chance(50))
    yield* list(hands, inode)
    if (opened !== undefined && dice.chance(80)) yield* call("release", { inode, handle: opened.handle })
  })
