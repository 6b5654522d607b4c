import type { Event } from "#domain/Event.ts"
import { evolve } from "#domain/Evolve.ts"
import { Contradiction } from "#domain/state/ZoneState.ts"
import { alice, root } from "#domain/testing/Actors.ts"
import { attributesSet, created, lockBy } from "#domain/testing/Events.ts"
import { given } from "#domain/testing/Given.ts"
import { file } from "#domain/testing/Steps.ts"
import { describe, expect, it } from "vitest"

const NOWHERE = 99

/** Events that cannot have happened to a zone that holds one file, inode 2, and one session of each actor. */
const impossible: ReadonlyArray<readonly [what: string, event: Event]> = [
  ["an entry in a directory that is not there", created({ parent: NOWHERE, name: "y" }, 3, 0o100644, root)],
  ["an entry in a file", created({ parent: 2, name: "y" }, 3, 0o100644, root)],
  ["a link to nothing", { _tag: "EntryLinked", parent: 1, name: "y", inode: NOWHERE }],
  ["the removal of nothing", { _tag: "EntryRemoved", parent: 1, name: "y", inode: NOWHERE }],
  ["attributes of nothing", attributesSet(NOWHERE, { mode: 0 })],
  ["a size of nothing", { _tag: "SizeSet", inode: NOWHERE, size: 1 }],
  ["an open by nobody", { _tag: "FileOpened", session: 555, handle: 1, inode: 2, access: 1 }],
  ["an open of nothing", { _tag: "FileOpened", session: root.session, handle: 1, inode: NOWHERE, access: 1 }],
  ["the release of a handle that is not open", { _tag: "FileReleased", session: root.session, handle: 7 }],
  ["a lock of nothing", { _tag: "LockAcquired", inode: NOWHERE, lock: lockBy(root) }],
  ["the grant of a lock that nobody waits for", { _tag: "LockGranted", inode: 2, session: alice.session, request: 7 }],
  ["the end of a session that is not there", { _tag: "SessionEnded", session: 555, reason: "closed" }],
  ["the end of a snapshot that is not there", { _tag: "SnapshotRemoved", directory: 1, name: "y" }]
]

describe("an event that cannot have happened", () => {
  it.each(impossible)("is told as a contradiction: %s", (_, event) => {
    const { world } = given(file("/x"))
    const { sequence } = world.live
    expect(() => evolve(world.live, event)).toThrow(Contradiction)
    expect(() => evolve(world.live, event)).toThrow(new RegExp(`after event ${sequence + 2}`))
  })
})
