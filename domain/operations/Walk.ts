/**
 * Resolves several names in one step, as far as the zone can: to the end, to a symbolic link (which the
 * caller follows), or to an error.
 */
import * as Attributes from "#domain/Attributes.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { type Operation, readOnly, reply } from "#domain/Operation.ts"
import { findExisting } from "#domain/operations/Directory.ts"

const request = Codec.struct({
  start: Codec.inode,
  names: Codec.array(Codec.bytes(Limits.pathBytesMax), Limits.walkComponentsMax)
})
const replied = Codec.struct({
  /** One per name found, in order. */
  found: Codec.array(Attributes.codec, Limits.walkComponentsMax),
  /** Why the next name was not found; 0 if all were, or if the last one found is a symbolic link. */
  errno: Codec.u16
})

export const walk: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 2,
  name: "walk",
  request,
  reply: replied,
  routeOf: ({ start }) => start,
  plan: (state, context, { names, start }) => {
    const found: Array<Attributes.Attributes> = []
    let at = start
    for (const name of names) {
      const place = findExisting(state, context, at, name)
      if (typeof place === "number") return reply({ found, errno: place })
      found.push(place.inode.attributes())
      if (Mode.isSymlink(place.inode.mode)) break
      at = place.inode.number
    }
    return reply({ found, errno: 0 })
  },
  answer: readOnly
}
