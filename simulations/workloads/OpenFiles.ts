/** Files are opened, lose their names, and must stay readable through their handle until it is released. */
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Access } from "#domain/Session.ts"
import type { Workload } from "#simulations/workloads/Hands.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export const openFiles: Workload = (hands) =>
  Effect.gen(function*() {
    const { ask, call, client, complain, dice } = hands
    const parent = InodeNumber.rootOf(dice.below(client.info.zones))
    const name = `open${dice.below(6)}`
    const session = hands.session()
    const access = Access.read | Access.write
    const opened = yield* call("create", {
      parent,
      name,
      mode: 0o600,
      umask: 0,
      exclusive: false,
      truncate: false,
      access
    })
    if (opened === undefined) return
    const { attributes: { inode }, handle } = opened
    if (dice.chance(70)) yield* call("unlink", { parent, name })
    // What has lost its last name gets no other.
    if (dice.chance(20)) yield* call("link", { inode, parent, name: `${name}again` })
    yield* Effect.sleep(Duration.millis(dice.below(3000)))
    const answer = yield* ask("readExtents", { inode, handle, offset: 0, length: 1 })
    if (answer !== undefined && answer.errno !== 0 && hands.session() === session) {
      complain(`inode ${inode} is open as ${handle}, and reading it gave errno ${answer.errno}`)
    }
    if (dice.chance(80)) yield* call("release", { inode, handle })
  })
