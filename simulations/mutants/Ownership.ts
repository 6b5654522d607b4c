/**
 * Planted bugs of who owns a zone: fences, leases, what is answered before it is durable. Those of statements are in
 * what the simulated Postgres takes the statement to mean.
 */
import type { Mutant } from "#simulations/mutants/Mutant.ts"

const statements = "simulations/world/PostgresWrites.ts"
const journal = "persistence/PostgresJournal.ts"
const leases = "persistence/RunnerLeases.ts"
const zone = "actors/Zone.ts"
const scenario = "takeovers"

export const ownership: ReadonlyArray<Mutant> = [
  {
    name: "append-without-fence",
    about: "The append does not look at the epoch: an owner of before writes into the journal of the next one.",
    file: statements,
    find: "tables.zone.get(zone)?.epoch === epoch\n  const owned",
    replace: "tables.zone.has(zone) && epoch > 0\n  const owned",
    scenario
  },
  {
    name: "append-without-lock",
    about: "The append reads the epoch without the row's lock: a claim may come between its look and its commit.",
    file: statements,
    find: "    yield* transaction.share(zoneKey(row.zone))\n    if (isOwner(row)) owned.push(row)\n",
    replace: "    owned.push(row)\n",
    scenario
  },
  {
    name: "append-does-not-look-again",
    about: "The append that waited for a claim does not look at the epoch again: it was the claim that it waited for.",
    file: statements,
    find: "    if (isOwner(row)) owned.push(row)\n",
    replace: "    owned.push(row)\n",
    scenario: "strays"
  },
  {
    name: "claim-keeps-the-epoch",
    about: "The claim of a zone that was claimed before leaves its epoch as it is: it fences nobody.",
    file: statements,
    find: "const epoch = (tables.zone.get(zone)?.epoch ?? 0) + 1",
    replace: "const epoch = tables.zone.get(zone)?.epoch ?? 1",
    scenario
  },
  {
    name: "claim-beside-appends",
    about: "The claim is not exclusive against appends under way: the head that is read after it may still move.",
    file: statements,
    find: "  yield* transaction.exclusive(zoneKey(zone))\n",
    replace: "  yield* transaction.share(zoneKey(zone))\n",
    scenario: "strays"
  },
  {
    name: "head-read-before-the-claim",
    about: "The journal's head is read before the claim: the owner of before may append in between.",
    file: journal,
    find:
      "          const [row] = yield* Effect.mapError(database.query(\"claim\", CLAIM, [zone, owner]), unavailable)\n" +
      "          return { epoch: Number(row?.[0]), head: yield* head(zone) }",
    replace: "          const before = yield* head(zone)\n" +
      "          const [row] = yield* Effect.mapError(database.query(\"claim\", CLAIM, [zone, owner]), unavailable)\n" +
      "          return { epoch: Number(row?.[0]), head: before }",
    scenario: "strays"
  },
  {
    name: "append-of-no-row-succeeds",
    about: "An append that wrote no row, because it was fenced, is taken for a success: acknowledged and lost.",
    file: journal,
    find: "appended.has(`${row.zone} ${row.epoch}`) ? Effect.void : fencedOff(row)",
    replace: "appended.size >= 0 ? Effect.void : fencedOff(row)",
    scenario
  },
  {
    name: "answers-of-an-append-exchanged",
    about: "Of rows that were appended together, each zone is told what became of the one before it.",
    file: "persistence/AppendQueue.ts",
    find: "resume(outcomes[index] as Appended)",
    replace: "resume(outcomes.at(index - 1) as Appended)",
    scenario
  },
  {
    name: "uncertain-append-taken-for-done",
    about: "An append whose answer was lost is taken for committed: its replies leave, and it may never have been.",
    file: zone,
    find: "        yield* journal.append(row)\n",
    replace: "        yield* Effect.catchIf(\n" +
      "          journal.append(row),\n" +
      "          (error) => error._tag === \"JournalUnavailable\" && error.uncertain,\n" +
      "          () => Effect.void\n" +
      "        )\n",
    scenario: "database"
  },
  {
    name: "replies-before-the-commit",
    about: "Replies leave before the batch is appended: what is acknowledged may be lost.",
    file: zone,
    find: "          const wrote = yield* Effect.onError(commit(active)",
    replace: "          for (const deliver of deliveries.splice(0)) deliver()\n" +
      "          const wrote = yield* Effect.onError(commit(active)",
    scenario: "dense"
  },
  {
    name: "reads-answered-at-once",
    about: "A message of reads is answered before the batch commits: it shows changes of others that may be lost.",
    file: zone,
    find: "          deliveries.push(() => work.resume(Either.right(bytes)))",
    replace:
      "          if (message.commands.every(({ operation }) => operation.code < 32)) work.resume(Either.right(bytes))\n" +
      "          else deliveries.push(() => work.resume(Either.right(bytes)))",
    scenario: "watched"
  },
  {
    name: "granted-locks-before-the-commit",
    about: "Who waited for a lock is told of its grant before the grant is durable: it may hold what nobody gave it.",
    file: zone,
    find: "        const row = active.row(zone, batch)\n",
    replace: "        const row = active.row(zone, batch)\n" +
      "        for (const completion of completed) active.complete(completion)\n",
    scenario: "crossings"
  },
  {
    name: "reads-without-a-lease",
    about: "Reads are answered though the runner's lease has run out: another one may have the zone by now.",
    file: zone,
    find: "if (!wrote && lease.term() !== active.term) {",
    replace: "if (!wrote && active.term < 0) {",
    scenario: "duels"
  },
  {
    name: "reads-over-a-gap-of-leases",
    about: "Reads are answered whenever there is a lease, though it was over in between and the zone was another's.",
    file: zone,
    find: "if (!wrote && lease.term() !== active.term) {",
    replace: "if (!wrote && lease.term() === undefined) {",
    scenario: "duels"
  },
  {
    name: "lease-terms-not-counted",
    about: "A lease that was over and is there again counts as the same: zones of before go on answering reads.",
    file: leases,
    find: "if (!lasted || (yield* Clock.currentTimeNanos) >= validUntil) term++",
    replace: "if (validUntil === 0n) term++",
    scenario: "duels"
  },
  {
    name: "lease-longer-than-the-database-says",
    about: "The margin of the lease has the wrong sign: the runner trusts it longer than the database does.",
    file: leases,
    find: "seconds * (1 - MARGIN) * 1e9",
    replace: "seconds * (1 + 2 * MARGIN) * 1e9",
    scenario: "duels"
  },
  {
    name: "lease-counts-from-the-answer",
    about: "The lease counts from when the answer came, which may be long after the database began to count.",
    file: leases,
    find: "validUntil = before + BigInt",
    replace: "validUntil = (before > 0n ? yield* Clock.currentTimeNanos : before) + BigInt",
    scenario: "duels"
  },
  {
    name: "lease-kept-though-it-is-gone",
    about: "A refresh that found no lease to extend extends the runner's own idea of it.",
    file: leases,
    find: "if (left || rows.length === 0) return rows",
    replace: "if (left) return rows",
    scenario: "duels"
  },
  {
    name: "lease-kept-though-the-refresh-failed",
    about: "The lease is extended when it is asked for, whatever the database says or whether it says anything.",
    file: leases,
    find: "        const rows = yield* statement\n",
    replace: "        if (!left) validUntil = before + BigInt(Math.floor(seconds * 1e9))\n" +
      "        const rows = yield* statement\n",
    scenario: "duels"
  },
  {
    name: "lease-kept-when-leaving",
    about: "A runner that hands over its shards keeps its lease: its zones answer reads until they have ended.",
    file: leases,
    find: "          left = true\n          validUntil = 0n\n",
    replace: "",
    scenario: "duels"
  },
  {
    name: "shards-taken-from-the-living",
    about: "Shards are taken from a runner whose lease is good: two runners hold one zone.",
    file: statements,
    find: "row.address === address || free.has(row.address)",
    replace: "row.address === address || !free.has(\"\")",
    scenario: "duels"
  },
  {
    name: "refresh-extends-by-half",
    about: "A refresh extends the lease in the database by half of what the runner counts on.",
    file: statements,
    find: "  const expires = transaction.clock() + double(values[1]) * SECOND_MICROS",
    replace: "  const expires = transaction.clock() + (double(values[1]) * SECOND_MICROS) / 2",
    scenario: "duels"
  },
  {
    name: "refresh-revives-what-was-lost",
    about: "A lease that ran out comes back with its shards, though another one may be taking them just now.",
    file: statements,
    find: "const lasted = row.expires > transaction.clock()",
    replace: "const lasted = row.expires > 0",
    scenario: "duels"
  },
  {
    name: "claims-without-a-lease",
    about: "A zone claims though its runner holds no lease: it fences off the one that has the zone by now.",
    file: zone,
    find: "const term = yield* lease.held\n",
    replace: "const term = lease.term() ?? -1\n",
    scenario: "duels"
  },
  {
    name: "life-goes-on-after-a-failed-append",
    about:
      "An append that was refused does not end the zone's life: it goes on with a state that is not the journal's.",
    file: zone,
    find: "          const wrote = yield* Effect.onError(commit(active), fall(works, undefined))\n",
    replace: "          const wrote = yield* commit(active).pipe(\n" +
      "            Effect.catchAllCause((cause) => Effect.as(failAll(works, undefined, cause), undefined))\n" +
      "          )\n" +
      "          if (wrote === undefined) return\n",
    scenario: "database"
  }
]
