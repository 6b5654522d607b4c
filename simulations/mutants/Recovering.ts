/** Planted bugs of how a zone comes back: the journal's rows, their bytes, snapshots, the bytes of the state. */
import type { Mutant } from "#simulations/mutants/Mutant.ts"

const zone = "actors/Zone.ts"
const recovery = "actors/Recovery.ts"
const chain = "persistence/Chain.ts"
const batchCodec = "domain/codec/BatchCodec.ts"
const stateCodec = "domain/codec/StateCodec.ts"
const snapshot = "persistence/Snapshot.ts"
const scenario = "returns"

export const recovering: ReadonlyArray<Mutant> = [
  {
    name: "chain-not-checked-in-recovery",
    about: "A zone comes back from rows that are not what was written.",
    file: recovery,
    find: "Chain.problemOf(head, row) ?? (yield* apply)",
    replace: "head.sequence < 0 ? Chain.problemOf(head, row) : yield* apply",
    scenario: "tampered"
  },
  {
    name: "hash-not-recomputed",
    about: "A row's hash is compared with what the next row says, never with the row.",
    file: chain,
    find: "  if (!equal(row.hash, hashOf(row))) return \"its contents do not give its hash\"\n",
    replace: "",
    scenario: "tampered"
  },
  {
    name: "hash-leaves-out-the-time",
    about: "The time of a row is not part of its hash: it can be changed unseen.",
    file: chain,
    find: "  header.writeBigInt64LE(BigInt(row.time.seconds), 26)\n",
    replace: "",
    scenario: "tampered"
  },
  {
    name: "hash-leaves-out-the-epoch",
    about: "The epoch of a row is not part of its hash: it can be changed unseen.",
    file: chain,
    find: "  header.writeBigUInt64LE(BigInt(row.epoch), 18)\n",
    replace: "",
    scenario: "tampered"
  },
  {
    name: "hashes-compared-by-a-byte",
    about: "Hashes are compared by their first byte.",
    file: chain,
    find: "Buffer.compare(a, b) === 0",
    replace: "a[0] === b[0]",
    scenario: "tampered"
  },
  {
    name: "last-row-skipped",
    about: "Recovery stops before the last event when a row of one event is left.",
    file: recovery,
    find: "while (head.sequence < end.sequence)",
    replace: "while (head.sequence + 1 < end.sequence)",
    scenario
  },
  {
    name: "events-of-a-row-miscounted",
    about: "A row says how many commands it holds instead of how many events.",
    file: zone,
    find: "last: sequence + Batch.eventCount(batch)",
    replace: "last: sequence + batch.records.length",
    scenario
  },
  {
    name: "head-not-moved",
    about: "After an append the zone goes on from the head of before.",
    file: zone,
    find: "        active.head = Chain.headOf(row)\n",
    replace: "        if (active.head.sequence % 16 !== 0) active.head = Chain.headOf(row)\n",
    scenario
  },
  {
    name: "snapshot-of-a-later-state",
    about: "A snapshot's head is taken when its pages are written: it is later than they are.",
    file: snapshot,
    find: "    Manifest.encodeTable(manifest, table, limit)\n",
    replace: "    manifest.reset()\n" +
      "    Manifest.encodeState(manifest, this.pages.state)\n" +
      "    Manifest.encodeTable(manifest, table, limit)\n",
    scenario
  },
  {
    name: "snapshot-under-the-wrong-head",
    about: "A snapshot is recorded for the head at its end, not for the one that it was taken at.",
    file: snapshot,
    find: "      zone,\n      head,\n      epoch,\n",
    replace: "      zone,\n      head: { ...head, sequence: this.pages.state.sequence },\n      epoch,\n",
    scenario
  },
  {
    name: "record-before-its-manifest",
    about: "A snapshot is recorded before its manifest is stored: a crash in between leaves one that is not there.",
    file: snapshot,
    find: "    return this.store.put(key, encoded).pipe(\n      Effect.zipRight(this.journal.addSnapshot(record)),\n",
    replace:
      "    return this.journal.addSnapshot(record).pipe(\n      Effect.zipRight(this.store.put(key, encoded)),\n",
    scenario
  },
  {
    name: "packs-of-the-older-removed",
    about: "Packs that only the older snapshot needs are removed at once.",
    file: snapshot,
    find: "if (live > 0 || needed.has(pages.keyOf(number))) continue",
    replace: "if (live > 0) continue",
    scenario
  },
  {
    name: "packs-go-with-a-snapshot",
    about: "All packs of a snapshot that is not kept are removed, also those that others need.",
    file: snapshot,
    find: "      for (const key of spare) if (!needed.has(key)) yield* store.remove(key)\n",
    replace: "      for (const key of spare) yield* store.remove(key)\n",
    scenario: "states"
  },
  {
    name: "page-stored-before-its-put",
    about: "A page counts as stored before its pack is: if that fails, it is nowhere once it is absent.",
    file: "persistence/pages/PackQueue.ts",
    find: "    return store.put(PagePack.keyOf(state.zone, number, this.epoch), writer.bytes).pipe(\n" +
      "      Effect.zipRight(Effect.suspend(() => through(this.settle(filled)))),\n",
    replace: "    return Effect.suspend(() => through(this.settle(filled))).pipe(\n" +
      "      Effect.zipRight(store.put(PagePack.keyOf(state.zone, number, this.epoch), writer.bytes)),\n",
    scenario: "storage"
  },
  {
    name: "deflated-page-not-inflated",
    about: "A page that is read along with another counts as plain, whatever its record says.",
    file: "persistence/pages/ZonePages.ts",
    find: "      if (reader.unpack() !== undefined) return\n      pages.adopt(page, reader.bytes)\n",
    replace: "      pages.adopt(page, reader.record.subarray(RECORD_HEADER_BYTES))\n",
    scenario: "states"
  },
  {
    name: "refused-page-asked-for-ever",
    about: "A page that the store gives no more is asked for again and again, and its zone stands still.",
    file: "persistence/pages/ZonePages.ts",
    find: "        ObjectRefused: ({ message }) => fail(message, true),\n",
    replace: "        ObjectRefused: () => this.read(pack, from, to, fail),\n",
    scenario
  },
  {
    name: "snapshots-of-a-refused-pack-kept",
    about: "The snapshots of a pack that cannot be had are kept: their zone comes back to them again and again.",
    file: snapshot,
    find: "      if (lost.whole || !isListed) return Effect.succeed(isListed)\n",
    replace: "      if (lost.whole || !isListed) return Effect.succeed(false)\n",
    scenario
  },
  {
    name: "chunk-not-rewritten",
    about: "A chunk of the page table that was written once is not written again: it tells where pages were.",
    file: "persistence/pages/PageTable.ts",
    find: "    this.dirty.add(chunkOf(page))\n    return chunk\n",
    replace: "    if (this.places[chunkOf(page)] === undefined) this.dirty.add(chunkOf(page))\n    return chunk\n",
    scenario
  },
  {
    name: "page-not-kept",
    about: "A page that changes while a snapshot is under way is not kept for it as it was.",
    file: "domain/state/pages/Pages.ts",
    find: "    if (this.changes[page] === this.closing) this.keep(page)\n",
    replace: "",
    scenario
  },
  {
    name: "changed-pages-forgotten",
    about: "Pages that no snapshot has yet are made absent when memory is short.",
    file: "domain/state/pages/Pages.ts",
    find: "address === 0 || changes[page] !== CLEAN ||",
    replace: "address === 0 || changes[page] === COPIED ||",
    scenario
  },
  {
    name: "time-moves-back",
    about: "A batch takes the wall clock's time, though somebody set that back, or the owner of before was ahead.",
    file: zone,
    find: "      Effect.map(Clock.currentTimeNanos, (nanos) =>\n" +
      "        Timestamp.later(Timestamp.fromNanos(nanos), active.decider.state.time))",
    replace: "      Effect.map(Clock.currentTimeMillis, (millis) =>\n" +
      "        Timestamp.later(Timestamp.fromNanos(BigInt(millis) * 1_000_000n), Timestamp.make(active.epoch, 0)))",
    scenario: "handovers"
  },
  {
    name: "snapshot-drops-replies",
    about: "A snapshot holds sessions without what they were answered.",
    file: stateCodec,
    find: "    session.remember(request, r.string(Limits.messageBytesMax))\n",
    replace: "    const reply = r.string(Limits.messageBytesMax)\n" +
      "    if (request < session.floor) session.remember(request, reply)\n",
    scenario
  },
  {
    name: "snapshot-drops-floors",
    about: "A snapshot's sessions come back with a floor of nothing.",
    file: stateCodec,
    find: "  session.floor = r.varint()\n",
    replace: "  r.varint()\n",
    scenario
  },
  {
    name: "snapshot-drops-ended-sessions",
    about: "Which sessions ended is lost with a snapshot.",
    file: stateCodec,
    find: "state.ended.add(r.u56())",
    replace: "r.u56()",
    scenario: "farewells"
  },
  {
    name: "snapshot-drops-locks",
    about: "A snapshot brings no locks back: others may take them.",
    file: stateCodec,
    find: "state.locked.set(number, { locks, waiters })",
    replace: "state.locked.set(number, { locks: locks.slice(0, 0), waiters })",
    scenario: "lockers"
  },
  {
    name: "snapshot-drops-access",
    about: "Files that are open in a snapshot come back open for reading only.",
    file: stateCodec,
    find: "{ inode, access: r.u8() }",
    replace: "{ inode, access: r.u8() & 1 }",
    scenario
  },
  {
    name: "snapshot-mixes-times",
    about: "An inode's time of change comes back from a snapshot as its time of last access.",
    file: stateCodec,
    find: "  row.atime = atime.seconds\n",
    replace: "  row.atime = (Timestamp.compare(atime, mtime) === 0 ? ctime : atime).seconds\n",
    scenario
  },
  {
    name: "snapshot-drops-attributes",
    about: "A snapshot brings no extended attributes back.",
    file: stateCodec,
    find: "    state.extras.setXattr(number, name, r.string(Limits.xattrValueBytesMax))\n",
    replace: "    r.string(Limits.xattrValueBytesMax)\n",
    scenario
  },
  {
    name: "journal-knows-one-kind-of-lock",
    about: "Every lock is one to read after a replay.",
    file: batchCodec,
    find: "const type = types[kind & 1] as LockType",
    replace: "const type = types[kind & 0] as LockType",
    scenario: "lockers"
  },
  {
    name: "journal-shifts-floors",
    about: "Floors come back from the journal one too high.",
    file: batchCodec,
    find: "floors.push({ session, floor: floor - 1 })",
    replace: "floors.push({ session, floor })",
    scenario
  },
  {
    name: "journal-misreads-differences",
    about: "A number below the one before it is read wrong.",
    file: batchCodec,
    find: "-(zigzag + 1) / 2 : zigzag / 2",
    replace: "-(zigzag - 1) / 2 : zigzag / 2",
    scenario
  },
  {
    name: "journal-forgets-the-replaced",
    about: "A rename over something is written as one to a free name.",
    file: batchCodec,
    find: "const replaced = r.u8() === 0 ? 0 : this.inode()",
    replace: "const replaced = r.u8() === 0 ? 0 : this.inode() * 0",
    scenario
  },
  {
    name: "journal-drops-a-target",
    about: "A symbolic link comes back from the journal without its target.",
    file: batchCodec,
    find: "has(flags, 5) ? r.string(Limits.symlinkBytesMax) : \"\"",
    replace: "has(flags, 5) ? r.string(Limits.symlinkBytesMax).slice(0, 0) : \"\"",
    scenario
  },
  {
    name: "journal-confuses-requests",
    about: "A request number that does not follow the one before is read as if it did.",
    file: batchCodec,
    find: "this.request = has(flags, 1) ? this.request + 1 : r.varint()",
    replace: "this.request = has(flags, 1) ? this.request + 1 : r.varint() + (has(flags, 0) ? 1 : 0)",
    scenario
  }
]
