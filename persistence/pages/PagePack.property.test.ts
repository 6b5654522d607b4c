import { lengthOf } from "#domain/state/pages/PageFormat.ts"
import { PageKind } from "#domain/state/pages/Pages.ts"
import { Dice } from "#domain/testing/Dice.ts"
import { Traffic } from "#domain/testing/Traffic.ts"
import * as PagePack from "#persistence/pages/PagePack.ts"
import { CHUNK_BYTES_MAX } from "#persistence/pages/PageTable.ts"
import { deflateRawSync } from "node:zlib"
import { describe, expect, it } from "vitest"

interface Record {
  readonly page: number
  readonly kind: number
  readonly bytes: Uint8Array
  readonly form: number
  readonly at: number
}

/** Every page of a zone after some traffic, deflated where that makes it smaller and not, and a chunk of the table, in a pack. */
const packed = (seed: number): { readonly bytes: Uint8Array; readonly records: ReadonlyArray<Record> } => {
  const traffic = new Traffic(seed)
  traffic.run(150)
  const { pages, pages: { slab }, table } = traffic.world.live
  table.packAll()
  const writer = new PagePack.PackWriter()
  const records: Array<Record> = []
  for (let page = 1; page < pages.limit; page++) {
    const kind = pages.kindOf(page)
    if (kind === PageKind.none) continue
    const address = pages.addressOf(page)
    const at = slab.offsetOf(address)
    const bytes = slab.chunkOf(address).slice(at, at + lengthOf(kind, slab.chunkOf(address), at))
    records.push({ page, kind, bytes, form: PagePack.Form.plain, at: writer.add(page, kind, bytes) })
    const deflated = deflateRawSync(bytes)
    if (deflated.length >= bytes.length) continue
    const { deflated: form } = PagePack.Form
    records.push({ page, kind, bytes, form, at: writer.add(page, kind, deflated, form) })
  }
  const chunk = new Dice(seed).bytes(CHUNK_BYTES_MAX)
  records.push({
    page: 7,
    kind: PagePack.CHUNK_KIND,
    bytes: chunk,
    form: PagePack.Form.plain,
    at: writer.add(7, PagePack.CHUNK_KIND, chunk)
  })
  return { bytes: writer.bytes.slice(), records }
}

describe("a pack", () => {
  it("gives back each record, one after the other or from where it begins", () => {
    const { bytes, records } = packed(1)
    const reader = new PagePack.PackReader(bytes)
    let end = 0
    for (const { at, bytes, form, kind, page } of records) {
      expect(at).toBe(end)
      expect(reader.read(at)).toBeUndefined()
      expect([reader.page, reader.kind, reader.form]).toEqual([page, kind, form])
      expect(reader.unpack()).toBeUndefined()
      expect(Buffer.compare(reader.bytes, bytes)).toBe(0)
      expect(reader.length < bytes.length).toBe(form === PagePack.Form.deflated)
      end = reader.end
    }
    expect(end).toBe(bytes.length)
    expect(reader.read(end)).toBe("it is cut short")
    expect(new Set(records.map(({ kind }) => kind)).size).toBeGreaterThan(5)
    expect(records.filter(({ form }) => form === PagePack.Form.deflated).length).toBeGreaterThan(3)
  })

  it("takes over a record of another one as it is", () => {
    const { bytes, records } = packed(2)
    const reader = new PagePack.PackReader(bytes)
    const writer = new PagePack.PackWriter()
    for (const { at } of records.toReversed()) {
      reader.read(at)
      const to = writer.copy(reader.record)
      const copy = new PagePack.PackReader(writer.bytes)
      expect(copy.read(to)).toBeUndefined()
      expect([copy.page, copy.crc]).toEqual([reader.page, reader.crc])
    }
    expect(writer.bytes).toHaveLength(bytes.length)
  })

  it("never gives a record of which a bit was turned, or that was cut short or begins elsewhere, as good", () => {
    const { bytes, records } = packed(3)
    const dice = new Dice(3)
    for (let round = 0; round < 3000; round++) {
      const { at } = dice.of(records)
      const whole = new PagePack.PackReader(bytes)
      whole.read(at)
      const { end } = whole
      const turned = bytes.slice()
      const where = at + dice.below(end - at)
      turned[where] = (turned[where] as number) ^ (1 << dice.below(8))
      expect(new PagePack.PackReader(turned).read(at), `bit at ${where - at}`).toBeTypeOf("string")
      expect(new PagePack.PackReader(bytes.subarray(0, where)).read(at)).toBeTypeOf("string")
      expect(whole.read(Math.max(where, at + 1))).toBeTypeOf("string")
    }
  })

  it("takes no page out of a record whose bytes are none, though its checksum is theirs", () => {
    const { records } = packed(5)
    const dice = new Dice(5)
    for (let round = 0; round < 3000; round++) {
      const { bytes, kind, page } = dice.of(records.filter(({ kind }) => kind !== PagePack.CHUNK_KIND))
      const deflated = deflateRawSync(bytes)
      const broken = [
        deflateRawSync(Buffer.concat([bytes, dice.bytes(1 + dice.below(9))])),
        deflateRawSync(bytes.subarray(0, dice.below(bytes.length))),
        deflateRawSync(new Uint8Array(2 ** 20)),
        deflated.subarray(0, dice.below(deflated.length)),
        dice.bytes(dice.below(300))
      ]
      const writer = new PagePack.PackWriter()
      writer.add(page, kind, dice.of(broken), PagePack.Form.deflated)
      const reader = new PagePack.PackReader(writer.bytes)
      expect(reader.read(0)).toBeUndefined()
      expect(reader.unpack()).toBeTypeOf("string")
    }
  })

  it("has chunks and forms that it knows only", () => {
    for (const [kind, form] of [[PageKind.inodes, 2], [PageKind.inodes, 255], [PagePack.CHUNK_KIND, 1]] as const) {
      const writer = new PagePack.PackWriter()
      writer.add(1, kind, new Uint8Array(20), form)
      expect(new PagePack.PackReader(writer.bytes).read(0)).toBe("its header is not one")
    }
  })

  it("reads any bytes without harm", () => {
    const dice = new Dice(4)
    for (let round = 0; round < 3000; round++) {
      const bytes = dice.bytes(dice.below(200))
      expect(new PagePack.PackReader(bytes).read(dice.below(250))).toBeTypeOf("string")
    }
  })

  it("of an earlier epoch has another name", () => {
    expect(PagePack.keyOf(3, 12, 4)).toBe("pages/3/0000000012-4")
    expect(PagePack.keyOf(3, 12, 5)).not.toBe(PagePack.keyOf(3, 12, 4))
    expect(PagePack.keyOf(3, 12, 4).startsWith(PagePack.folderOf(3))).toBe(true)
  })
})
