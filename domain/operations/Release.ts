/** Gives a handle back. The inode goes with its last handle if it has no name. */
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import { change, type Operation, refuse } from "#domain/Operation.ts"

const request = Codec.struct({ inode: Codec.inode, handle: Codec.uint })

export const release: Operation<Codec.Type<typeof request>, void> = {
  code: 42,
  name: "release",
  request,
  reply: Codec.nothing,
  routeOf: ({ inode }) => inode,
  plan: (state, { session }, { handle, inode }) => {
    const open = state.sessions.get(session)?.opens.get(handle)
    return open?.inode === inode ? change({ _tag: "FileReleased", session, handle }) : refuse(Errno.EBADF)
  },
  answer: () => undefined
}
