/**
 * The people of the tests: each with a session of their own. Alice and Bob share a group; Carol shares none.
 */
import * as Credentials from "#domain/Credentials.ts"
import type { SessionDescriptor } from "#domain/Session.ts"

export interface Actor {
  readonly name: string
  readonly session: number
  readonly who: Credentials.Credentials
}

export const STAFF = 50

export const root: Actor = { name: "root", session: 1, who: Credentials.root }
export const alice: Actor = { name: "alice", session: 2, who: { uid: 1000, gid: 1000, groups: [STAFF] } }
export const bob: Actor = { name: "bob", session: 3, who: { uid: 1001, gid: 1001, groups: [STAFF, 60] } }
export const carol: Actor = { name: "carol", session: 4, who: { uid: 1002, gid: 1002, groups: [] } }

export const everybody: ReadonlyArray<Actor> = [root, alice, bob, carol]

export const descriptorOf = ({ name, who }: Actor): SessionDescriptor => ({
  client: "test",
  host: "here",
  user: name,
  uid: who.uid,
  pid: 1
})
