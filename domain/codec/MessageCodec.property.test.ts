import { encodeReply } from "#domain/Batch.ts"
import * as MessageCodec from "#domain/codec/MessageCodec.ts"
import { Malformed } from "#domain/codec/Reader.ts"
import { Limits } from "#domain/Limits.ts"
import { operations } from "#domain/Operations.ts"
import { byteString, damage, message } from "#domain/testing/Arbitraries.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"

const { runs } = seedsOf(process.env)

type Command = MessageCodec.Command

/** What the bytes say; undefined if the decoder refuses them. Anything else that it does is thrown on. */
const tried = <Value>(decode: () => Value): Value | undefined => {
  try {
    return decode()
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

const empty: MessageCodec.Message = {
  zone: 3,
  epoch: 4,
  session: 5,
  floor: 6,
  known: true,
  descriptor: undefined,
  commands: []
}

const getAttributes = (inode: number, uid = 0): Command => ({
  operation: operations.getAttributes as unknown as Command["operation"],
  number: 1,
  who: { uid, gid: 0, groups: [] },
  request: { inode }
})

describe("the bytes of a message", () => {
  it("give it back exactly, whatever is in it", () => {
    fc.assert(
      fc.property(message, (message) => {
        expect(MessageCodec.decode(MessageCodec.encode(message))).toEqual(message)
      }),
      runs(500)
    )
  })

  it("begin with zone and epoch, which can be read alone", () => {
    fc.assert(
      fc.property(message, (message) => {
        const { epoch, zone } = message
        expect(MessageCodec.header(MessageCodec.encode(message))).toEqual({ epoch, zone })
      }),
      runs(100)
    )
  })

  it("are refused once they are damaged, or read as another message, and never anything else", () => {
    fc.assert(
      fc.property(message, damage, (message, damaged) => {
        const bytes = damaged(MessageCodec.encode(message))
        const found = tried(() => MessageCodec.decode(bytes))
        expect(found?.commands.length ?? 0).toBeLessThanOrEqual(bytes.length)
        tried(() => MessageCodec.header(bytes))
      }),
      runs(3000)
    )
  })

  it("are refused when they are cut short anywhere", () => {
    fc.assert(
      fc.property(message, fc.nat(), (message, place) => {
        const bytes = MessageCodec.encode(message)
        expect(tried(() => MessageCodec.decode(bytes.subarray(0, place % bytes.length)))).toBeUndefined()
      }),
      runs(300)
    )
  })

  it("are read from random bytes only as far as those reach", () => {
    const bytes = fc.uint8Array({ maxLength: 200 })
    fc.assert(
      fc.property(fc.oneof(bytes, bytes.map((rest) => Uint8Array.of(MessageCodec.VERSION, ...rest))), (bytes) => {
        const found = tried(() => MessageCodec.decode(bytes))
        expect(found?.commands.length ?? 0).toBeLessThanOrEqual(bytes.length)
      }),
      runs(5000)
    )
  })

  it("of another version or with an unknown operation are refused", () => {
    const bytes = MessageCodec.encode({ ...empty, commands: [getAttributes(1)] })
    const other = Uint8Array.from(bytes)
    other[0] = MessageCodec.VERSION + 1
    expect(tried(() => MessageCodec.decode(other))).toBeUndefined()
    expect(tried(() => MessageCodec.header(other))).toBeUndefined()
    const at = bytes.indexOf(operations.getAttributes.code, 10)
    const unknown = Uint8Array.from(bytes)
    unknown[at] = 255
    expect(tried(() => MessageCodec.decode(unknown))).toBeUndefined()
  })

  it("hold as many commands as a message may, and no more", () => {
    const many = (count: number) =>
      MessageCodec.encode({ ...empty, commands: Array.from({ length: count }, () => getAttributes(1)) })
    const shared = getAttributes(1)
    const commands = Array.from({ length: Limits.messageCommandsMax }, () => shared)
    expect(MessageCodec.decode(MessageCodec.encode({ ...empty, commands })).commands).toHaveLength(commands.length)
    expect(tried(() => MessageCodec.decode(many(Limits.messageCommandsMax + 1)))).toBeUndefined()
  })

  it("never turn a reference that is too far back into another one", () => {
    for (const reference of [-255, -256, -257, -300, -4095]) {
      const message = { ...empty, commands: [getAttributes(reference)] }
      let bytes: Uint8Array
      try {
        bytes = MessageCodec.encode(message)
      } catch {
        continue
      }
      expect(tried(() => MessageCodec.decode(bytes))).toEqual(message)
    }
  })

  it("carry no user that an inode could not tell", () => {
    const bytes = MessageCodec.encode({ ...empty, commands: [getAttributes(1, 2 ** 32 + 1000)] })
    expect(tried(() => MessageCodec.decode(bytes))).toBeUndefined()
  })
})

describe("the number of a command", () => {
  it("is never 0, which is the number of the session's own opening", () => {
    const bytes = MessageCodec.encode({ ...empty, commands: [{ ...getAttributes(1), number: 0 }] })
    expect(tried(() => MessageCodec.decode(bytes))).toBeUndefined()
  })
})

describe("the bytes of replies", () => {
  const commands = [getAttributes(1), getAttributes(2)]
  const attributes = {
    inode: 1,
    mode: 0o40755,
    uid: 0,
    gid: 0,
    nlink: 2,
    size: 4096,
    dataBytes: 0,
    rdev: 0,
    atime: { seconds: 1, nanos: 2 },
    mtime: { seconds: 3, nanos: 4 },
    ctime: { seconds: 5, nanos: 6 }
  }
  const stat = encodeReply(operations.getAttributes, { attributes })

  it("give replies and refusals back in the order of the commands", () => {
    const bytes = MessageCodec.encodeReplies([stat, "\x02\0"])
    expect(MessageCodec.decodeReplies(bytes, commands)).toEqual([
      { errno: 0, reply: { attributes } },
      { errno: 2 }
    ])
  })

  it("are refused if they are not as many as the commands", () => {
    const bytes = MessageCodec.encodeReplies([stat])
    expect(tried(() => MessageCodec.decodeReplies(bytes, commands))).toBeUndefined()
    expect(tried(() => MessageCodec.decodeReplies(bytes, []))).toBeUndefined()
  })

  it("are refused if one of them is longer than its shape", () => {
    const bytes = MessageCodec.encodeReplies([`${stat}.`, "\x02\0"])
    expect(tried(() => MessageCodec.decodeReplies(bytes, commands))).toBeUndefined()
  })

  it("are refused or read as others once they are damaged, and never anything else", () => {
    const replies = fc.array(fc.oneof(fc.constant(stat), fc.constant("\x02\0"), byteString(40)), {
      minLength: 2,
      maxLength: 2
    })
    const readers = Object.values(operations).map((operation) => ({
      ...getAttributes(1),
      operation: operation as unknown as Command["operation"]
    }))
    fc.assert(
      fc.property(replies, damage, fc.constantFrom(...readers), (replies, damaged, command) => {
        const bytes = damaged(MessageCodec.encodeReplies(replies))
        tried(() => MessageCodec.decodeReplies(bytes, [command, command]))
        tried(() => MessageCodec.decodeReplies(MessageCodec.encodeReplies(replies), [command, command]))
      }),
      runs(3000)
    )
  })
})
