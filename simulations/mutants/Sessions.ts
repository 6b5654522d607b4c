/** Planted bugs of sessions: when they end, and what goes with them. */
import type { Mutant } from "#simulations/mutants/Mutant.ts"

const zone = "actors/Zone.ts"
const evolve = "domain/Evolve.ts"
const scenario = "visitors"

export const sessions: ReadonlyArray<Mutant> = [
  {
    name: "sessions-never-expire",
    about: "The sweep spares everybody: files and locks of clients that died stay for ever.",
    file: zone,
    find: "if (last > limit) continue",
    replace: "if (last > limit - Number.MAX_SAFE_INTEGER) continue",
    scenario
  },
  {
    name: "sessions-expire-early",
    about: "A session ends after a part of its lease: its client, alive, loses its files and locks.",
    file: zone,
    find: "(yield* Elapsed.millis) - Duration.toMillis(config.sessionLease)",
    replace: "(yield* Elapsed.millis) - Duration.toMillis(config.sessionLease) / SWEEPS_PER_LEASE",
    scenario: "idle"
  },
  {
    name: "heartbeats-not-heard",
    about: "A heartbeat does not count: a client with files open that asks nothing loses them.",
    file: zone,
    find: "if (seen.has(session)) seen.set(session, now)",
    replace: "if (!seen.has(session)) seen.set(session, now)",
    scenario: "idle"
  },
  {
    name: "client-without-heartbeats",
    about: "The client asks for its zones' places instead of telling them that it lives.",
    file: "client/Client.ts",
    find: "for (const number of session.knownZones()) {\n        const address",
    replace: "for (const number of session.knownZones().slice(1)) {\n        const address",
    scenario: "idle"
  },
  {
    name: "recovered-sessions-not-watched",
    about: "Sessions that a zone knows from before its activation never expire.",
    file: zone,
    find: "      for (const session of state.sessions.keys()) seen.set(session, now)\n",
    replace: "      for (const session of state.sessions.keys()) if (session === 0) seen.set(session, now)\n",
    scenario
  },
  {
    name: "locks-survive-the-session",
    about: "A session that ends keeps its locks: nobody else ever gets them.",
    file: evolve,
    find: "held.locks.filter(isOthers), held.waiters.filter(isOthers)",
    replace: "held.locks, held.waiters.filter(isOthers)",
    scenario: "lockers"
  },
  {
    name: "waiters-survive-the-session",
    about: "A session that ends still waits for locks, and is granted them.",
    file: evolve,
    find: "held.locks.filter(isOthers), held.waiters.filter(isOthers)",
    replace: "held.locks.filter(isOthers), held.waiters",
    scenario: "lockers"
  },
  {
    name: "opens-survive-the-session",
    about: "A session that ends leaves its files counted as open: without a name, they stay for ever.",
    file: evolve,
    find: "    inode.opens--\n    dropIfUnused(state, inode)\n  }\n  state.sessions.delete",
    replace: "    dropIfUnused(state, inode)\n  }\n  state.sessions.delete",
    scenario
  },
  {
    name: "end-of-a-session-grants-nothing",
    about: "Locks that come free with a session are not granted to those who wait: they wait for ever.",
    file: "domain/operations/EndSession.ts",
    find: "granted.push(...grants(",
    replace: "if (held.length === inode.locks.length) granted.push(...grants(",
    scenario: "lockers"
  }
]
