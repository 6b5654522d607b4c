/** Access control lists as setfacl's users write them, `u::rwx,u:1001:rw-,g::r-x,m::rwx,o::---`. Valid ones alone. */
import * as Acl from "#domain/Acl.ts"

/** The id of an entry that names nobody. */
const NOBODY = 0xffff_ffff

const tags: { readonly [letter: string]: readonly [own: number, named: number] } = {
  u: [Acl.USER_OBJ, Acl.USER],
  g: [Acl.GROUP_OBJ, Acl.GROUP],
  m: [Acl.MASK, Acl.MASK],
  o: [Acl.OTHER, Acl.OTHER]
}

export const aclOf = (text: string): Acl.Acl =>
  text.split(",").map((entry) => {
    const [letter = "", id = "", permissions = ""] = entry.split(":")
    const tag = tags[letter]
    if (tag === undefined) throw new Error(`${entry} is no entry of a list`)
    return id === ""
      ? { tag: tag[0], permissions: bitsOf(permissions), id: NOBODY }
      : { tag: tag[1], permissions: bitsOf(permissions), id: Number(id) }
  })

/** As the attribute's value. */
export const aclBytes = (text: string): string => Acl.format(aclOf(text))

const bitsOf = (letters: string): number =>
  (letters.includes("r") ? 4 : 0) | (letters.includes("w") ? 2 : 0) | (letters.includes("x") ? 1 : 0)
