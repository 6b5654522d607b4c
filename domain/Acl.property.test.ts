import * as Acl from "#domain/Acl.ts"
import type { Credentials } from "#domain/Credentials.ts"
import { byteString, damage } from "#domain/testing/Arbitraries.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"

const { runs } = seedsOf(process.env)

const NOBODY = 0xffff_ffff
const bits = fc.integer({ min: 0, max: 7 })
/** Few users and groups, so that they meet. */
const id = fc.integer({ min: 0, max: 4 })

const entries = (tag: number) =>
  fc.uniqueArray(fc.record({ tag: fc.constant(tag), permissions: bits, id }), {
    maxLength: 3,
    selector: ({ id }) => id
  })

const one = (tag: number, permissions: number): Acl.AclEntry => ({ tag, permissions, id: NOBODY })

/** Any valid list. */
const acl: fc.Arbitrary<Acl.Acl> = fc.record({
  user: bits,
  users: entries(Acl.USER),
  group: bits,
  groups: entries(Acl.GROUP),
  mask: bits,
  masked: fc.boolean(),
  other: bits
}).map(({ group, groups, mask, masked, other, user, users }) => [
  one(Acl.USER_OBJ, user),
  ...users,
  one(Acl.GROUP_OBJ, group),
  ...groups,
  ...(masked || users.length + groups.length > 0 ? [one(Acl.MASK, mask)] : []),
  one(Acl.OTHER, other)
])

const who: fc.Arbitrary<Credentials> = fc.record({ uid: id, gid: id, groups: fc.array(id, { maxLength: 2 }) })

/** The access check algorithm of POSIX.1e, section 23.1.5, word by word. */
const naive = (acl: Acl.Acl, { gid, groups, uid }: Credentials, owner: number, group: number, wanted: number) => {
  const mask = acl.find(({ tag }) => tag === Acl.MASK)?.permissions ?? 7
  const grants = (permissions: number): boolean => (permissions & wanted) === wanted
  if (uid === owner) return grants(acl.find(({ tag }) => tag === Acl.USER_OBJ)?.permissions ?? 0)
  const named = acl.find(({ id, tag }) => tag === Acl.USER && id === uid)
  if (named !== undefined) return grants(named.permissions & mask)
  const mine = new Set([gid, ...groups])
  const matching = acl.filter(({ id, tag }) =>
    (tag === Acl.GROUP_OBJ && mine.has(group)) || (tag === Acl.GROUP && mine.has(id))
  )
  if (matching.length > 0) return matching.some(({ permissions }) => grants(permissions & mask))
  return grants(acl.find(({ tag }) => tag === Acl.OTHER)?.permissions ?? 0)
}

describe("an access control list", () => {
  it("comes back from its bytes as it was", () => {
    fc.assert(
      fc.property(acl, (acl) => {
        expect(Acl.isValid(acl)).toBe(true)
        expect(Acl.parse(Acl.format(acl))).toEqual(acl)
      }),
      runs(300)
    )
  })

  it("grants what the algorithm of POSIX.1e grants", () => {
    fc.assert(
      fc.property(acl, who, id, id, bits, (acl, who, owner, group, wanted) => {
        expect(Acl.allows(acl, who, owner, group, wanted)).toBe(naive(acl, who, owner, group, wanted))
      }),
      runs(3000)
    )
  })

  it("is read from no bytes but those of a list that is valid", () => {
    const bytes = fc.oneof(
      byteString(60),
      fc.tuple(acl, damage).map(([acl, damaged]) => {
        const damagedBytes = damaged(Buffer.from(Acl.format(acl), "latin1"))
        return Buffer.from(damagedBytes).toString("latin1")
      })
    )
    fc.assert(
      fc.property(bytes, (value) => {
        const parsed = Acl.parse(value)
        if (parsed === undefined) return
        expect(Acl.isValid(parsed)).toBe(true)
        expect(Acl.parse(Acl.format(parsed))).toEqual(parsed)
      }),
      runs(2000)
    )
  })

  it("says the same as mode bits alone if it is minimal", () => {
    fc.assert(
      fc.property(acl, who, id, id, bits, (acl, who, owner, group, wanted) => {
        const { minimal, mode } = Acl.toMode(acl)
        expect(minimal).toBe(acl.length === 3)
        if (!minimal) return
        const shift = who.uid === owner ? 6 : who.gid === group || who.groups.includes(group) ? 3 : 0
        expect(Acl.allows(acl, who, owner, group, wanted)).toBe(((mode >> shift) & wanted) === wanted)
      }),
      runs(1000)
    )
  })

  it("shows the mode that it was given, and stays valid", () => {
    fc.assert(
      fc.property(acl, fc.integer({ min: 0, max: 0o777 }), (acl, mode) => {
        const after = Acl.withMode(acl, mode)
        expect(Acl.isValid(after)).toBe(true)
        expect(Acl.toMode(after).mode).toBe(mode)
      }),
      runs(300)
    )
  })

  it("is inherited within what the creation asked for, and the mode shows it", () => {
    fc.assert(
      fc.property(acl, fc.integer({ min: 0, max: 0o7777 }), (defaults, asked) => {
        const { access, mode } = Acl.inherit(defaults, 0o100000 | asked)
        expect(mode & ~asked & 0o7777).toBe(0)
        expect(mode & ~0o777).toBe(0o100000 | (asked & 0o7000))
        expect(access === undefined).toBe(defaults.length === 3)
        if (access === undefined) return
        expect(Acl.isValid(access)).toBe(true)
        expect(Acl.toMode(access).mode).toBe(mode & 0o777)
      }),
      runs(300)
    )
  })
})
