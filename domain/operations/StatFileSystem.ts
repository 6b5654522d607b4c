/** How much a zone holds. A file system's figures are the sum over its zones. */
import * as Codec from "#domain/codec/Codec.ts"
import { Limits } from "#domain/Limits.ts"
import { type Operation, readOnly, reply } from "#domain/Operation.ts"

const request = Codec.struct({ inode: Codec.inode })
const replied = Codec.struct({
  inodes: Codec.uint,
  /** Inodes that the zone can still number. */
  inodesFree: Codec.uint,
  /** Bytes of file data, holes left out. */
  dataBytes: Codec.uint
})

export const statFileSystem: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 6,
  name: "statfs",
  request,
  reply: replied,
  routeOf: ({ inode }) => inode,
  plan: (state) =>
    reply({
      inodes: state.inodeCount,
      inodesFree: Limits.localNumberMax - state.nextInode + 1,
      dataBytes: state.dataBytes
    }),
  answer: readOnly
}
