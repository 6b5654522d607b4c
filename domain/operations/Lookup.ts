/** Finds one name in a directory. */
import * as Attributes from "#domain/Attributes.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Limits } from "#domain/Limits.ts"
import { type Operation, readOnly, refuse, reply } from "#domain/Operation.ts"
import { findExisting } from "#domain/operations/Directory.ts"

const request = Codec.struct({ parent: Codec.inode, name: Codec.bytes(Limits.pathBytesMax) })
const replied = Codec.struct({ attributes: Attributes.codec })

export const lookup: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 1,
  name: "lookup",
  request,
  reply: replied,
  routeOf: ({ parent }) => parent,
  plan: (state, context, { name, parent }) => {
    const place = findExisting(state, context, parent, name)
    return typeof place === "number" ? refuse(place) : reply({ attributes: place.inode.attributes() })
  },
  answer: readOnly
}
