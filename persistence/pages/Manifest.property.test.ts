import { Writer } from "#domain/codec/Writer.ts"
import { Dice } from "#domain/testing/Dice.ts"
import { Traffic } from "#domain/testing/Traffic.ts"
import * as Manifest from "#persistence/pages/Manifest.ts"
import { PageTable } from "#persistence/pages/PageTable.ts"
import { describe, expect, it } from "vitest"

/** A manifest of a zone after some traffic, with pages at made-up places. */
const manifestOf = (seed: number) => {
  const traffic = new Traffic(seed)
  traffic.run(200)
  const state = traffic.world.live
  state.table.packAll()
  const table = new PageTable()
  table.addPack({ number: 3, epoch: 2, bytes: 4_000_000, live: 0 })
  table.addPack({ number: 4, epoch: 3, bytes: 1000, live: 0 })
  table.nextPack = 5
  for (let page = 1; page < state.pages.limit; page++) table.set(page, state.pages.kindOf(page), 3, page, 10, page)
  for (const chunk of table.dirtyChunks) {
    table.settleChunk(chunk, { pack: 3, offset: 5000, length: 15_360, crc: 2 ** 31 })
  }
  const w = new Writer()
  Manifest.encodeState(w, state)
  Manifest.encodeTable(w, table, state.pages.limit)
  return { state, table, bytes: w.take() }
}

describe("a manifest", () => {
  it("brings back the zone's head, what finds its pages and where they are, with all pages absent", () => {
    for (const seed of [1, 2, 3]) {
      const { bytes, state, table } = manifestOf(seed)
      const found = Manifest.decode(bytes)
      const { entries, extras, pages, table: inodes } = found.state
      expect([pages.limit, pages.count, pages.absent]).toEqual([
        state.pages.limit,
        state.pages.count,
        state.pages.count
      ])
      expect(entries.roots).toEqual(state.entries.roots)
      expect(inodes.roots).toEqual(state.table.roots)
      expect(extras.roots).toEqual(state.extras.roots)
      const headOf = (
        { dataBytes, ended, locked, nextInode, nextSlice, sequence, sessions, time, zone }: typeof state
      ) => ({
        zone,
        sequence,
        time,
        nextInode,
        nextSlice,
        dataBytes,
        locked,
        sessions,
        ended
      })
      expect(headOf(found.state)).toEqual(headOf(state))
      expect(found.table.nextPack).toBe(5)
      // What nothing needs is not listed.
      expect([...found.table.packs.values()]).toEqual([table.packs.get(3)])
      expect(found.table.chunkPlaces(1)).toEqual(table.chunkPlaces(1))
      expect(found.table.isChunkLoaded(0)).toBe(false)
    }
  })

  it("of any bytes is one, or is refused with a reason", () => {
    const dice = new Dice(5)
    const { bytes } = manifestOf(4)
    let refused = 0
    for (let round = 0; round < 1500; round++) {
      const broken = bytes.slice(0, dice.chance(30) ? dice.below(bytes.length) : bytes.length)
      for (let turns = dice.below(3); turns > 0 && broken.length > 0; turns--) {
        broken[dice.below(broken.length)] = dice.below(256)
      }
      if (typeof Manifest.tryDecode(broken) === "string") refused++
    }
    expect(refused).toBeGreaterThan(500)
    expect(Manifest.tryDecode(bytes.with(0, 99))).toMatch(/manifest codec 99 is not known here/)
  })

  it("is named by its event, its epoch and its contents", () => {
    const record = {
      zone: 3,
      head: { sequence: 70, hash: new Uint8Array(32) },
      epoch: 4,
      digest: Manifest.digestOf(Uint8Array.of(1))
    }
    const key = Manifest.keyOf(record)
    expect(key).toBe("manifests/3/0000000000000070-4-4bf5122f344554c5")
    expect(Manifest.keyOf({ ...record, digest: Manifest.digestOf(Uint8Array.of(2)) })).not.toBe(key)
  })
})
