/**
 * Two files that nobody else knows are written, cut, punched, shifted and copied into each other. What is in them is
 * kept beside them as plainly as can be, and must be what the zone says after every step.
 */
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import { COLLAPSE_RANGE, INSERT_RANGE, KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE } from "#domain/operations/Allocate.ts"
import * as Content from "#simulations/checkers/Content.ts"
import * as Data from "#simulations/workloads/Data.ts"
import type { Hands, Workload } from "#simulations/workloads/Hands.ts"
import * as Effect from "effect/Effect"

const STEPS = 12
const UNIT = Limits.rangeAlignmentBytes
const FILE_BYTES_MAX = 6 * UNIT
const PIECE_BYTES_MAX = 2 * UNIT

interface Own {
  readonly inode: number
  content: Content.Content
}

export const ownFiles: Workload = (hands) =>
  Effect.gen(function*() {
    const { client, complain, dice, known } = hands
    const parent = InodeNumber.rootOf(dice.below(client.info.zones))
    const names = [known.freshName(), known.freshName()]
    const files: Array<Own> = []
    for (const name of names) {
      const made = yield* hands.call("create", { ...closed, parent, name })
      if (made === undefined) return
      files.push({ inode: made.attributes.inode, content: Content.empty })
    }
    for (let step = 0; step < STEPS; step++) {
      const [file, other] = dice.chance(50) ? files : files.toReversed()
      if (file === undefined || other === undefined || !(yield* change(hands, file, other))) return
      const asked = rangeOf(hands)
      const seen = yield* hands.call("readExtents", { inode: file.inode, handle: 0, ...asked })
      if (seen === undefined) return
      const problem = problemOf(file.content, asked, seen)
      if (problem !== undefined) return complain(`inode ${file.inode} after ${step + 1} steps: ${problem}`)
    }
    for (const name of names) yield* hands.call("unlink", { parent, name })
  })

const closed = { mode: 0o600, umask: 0, exclusive: true, truncate: false, access: 0 }

interface Range {
  readonly offset: number
  readonly length: number
}

const rangeOf = ({ dice }: Hands): Range =>
  dice.chance(50)
    ? { offset: 0, length: 2 * FILE_BYTES_MAX }
    : { offset: dice.below(FILE_BYTES_MAX), length: 1 + dice.below(FILE_BYTES_MAX) }

const problemOf = (
  { runs, size }: Content.Content,
  asked: Range,
  seen: { readonly size: number; readonly length: number; readonly extents: ReadonlyArray<Content.Run> }
): string | undefined => {
  if (seen.size !== size) return `it has ${seen.size} bytes, not ${size}`
  const expected = Content.cut(runs, asked.offset, asked.offset + asked.length)
  return Content.same(expected, Content.joined(seen.extents))
    ? undefined
    : `from ${asked.offset} it has ${JSON.stringify(seen.extents)}, not ${JSON.stringify(expected)}`
}

/** One change of a file; false if nobody knows whether it happened. */
const change = (hands: Hands, file: Own, other: Own): Effect.Effect<boolean> => {
  const { dice } = hands
  switch (dice.below(9)) {
    case 0:
      return resize(hands, file)
    case 1:
    case 2:
      return copy(hands, other, file)
    case 3:
      return copy(hands, file, file)
    case 4:
      return allocate(hands, file, dice.of([PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE, ZERO_RANGE | KEEP_SIZE, 0]))
    case 5:
      return allocate(hands, file, dice.of([COLLAPSE_RANGE, INSERT_RANGE]))
    default:
      return write(hands, file)
  }
}

const resize = ({ ask, dice }: Hands, file: Own): Effect.Effect<boolean> => {
  const size = dice.below(FILE_BYTES_MAX)
  return Effect.map(ask("setAttributes", { ...Data.sizeOf(size), inode: file.inode }), (answer) => {
    if (answer?.errno === 0) file.content = Content.resized(file.content, size)
    return answer !== undefined
  })
}

const write = (hands: Hands, file: Own): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    const piece = yield* Data.stored(hands, file.inode, 1 + hands.dice.below(PIECE_BYTES_MAX))
    const append = hands.dice.chance(30)
    const offset = hands.dice.below(FILE_BYTES_MAX - PIECE_BYTES_MAX)
    const answer = yield* hands.ask("write", { inode: file.inode, handle: 0, offset, append, pieces: [piece] })
    if (answer?.errno !== 0) return answer !== undefined
    const first = append ? file.content.size : offset
    file.content = Content.replaced(file.content, first, piece.length, [{ ...piece, offset: first }])
    return true
  }).pipe(Effect.catchAll(() => Effect.succeed(true)))

const copy = ({ ask, complain, dice }: Hands, from: Own, to: Own): Effect.Effect<boolean> => {
  const sourceOffset = dice.below(FILE_BYTES_MAX)
  const targetOffset = dice.below(FILE_BYTES_MAX)
  const length = 1 + dice.below(PIECE_BYTES_MAX)
  const request = { source: from.inode, sourceHandle: 0, sourceOffset, target: to.inode, targetHandle: 0, targetOffset }
  const available = Math.max(0, Math.min(length, from.content.size - sourceOffset))
  const overlaps = from === to && Math.abs(sourceOffset - targetOffset) < available
  return Effect.map(ask("copyRange", { ...request, length }), (answer) => {
    if (answer === undefined) return false
    if ((answer.errno !== 0) !== overlaps) {
      complain(
        `a copy of ${available} bytes from ${sourceOffset} of ${from.inode} to ${targetOffset} of ${to.inode}` +
          ` ended with errno ${answer.errno}`
      )
    }
    if (answer.errno !== 0 || available === 0) return true
    if (answer.reply?.copied !== available) complain(`copied ${answer.reply?.copied} bytes instead of ${available}`)
    const runs = Content.cut(from.content.runs, sourceOffset, sourceOffset + available)
    to.content = Content.replaced(to.content, targetOffset, available, shifted(runs, targetOffset - sourceOffset))
    return true
  })
}

const allocate = ({ ask, dice }: Hands, file: Own, mode: number): Effect.Effect<boolean> => {
  const shifts = mode === COLLAPSE_RANGE || mode === INSERT_RANGE
  const unit = shifts ? UNIT : 1
  const offset = dice.below(FILE_BYTES_MAX / unit) * unit
  const length = (1 + dice.below(PIECE_BYTES_MAX / unit)) * unit
  return Effect.map(ask("allocate", { inode: file.inode, handle: 0, mode, offset, length }), (answer) => {
    if (answer?.errno === 0) file.content = allocated(file.content, mode, offset, length)
    return answer !== undefined
  })
}

const allocated = (content: Content.Content, mode: number, offset: number, length: number): Content.Content => {
  const { runs, size } = content
  const rest = Math.max(0, Math.min(length, size - offset))
  const before = Content.cut(runs, 0, offset)
  const behind = (from: number): ReadonlyArray<Content.Run> => Content.cut(runs, from, Number.MAX_SAFE_INTEGER)
  switch (mode) {
    case 0:
      return Content.resized(content, Math.max(size, offset + length))
    case ZERO_RANGE:
      return Content.replaced(content, offset, length, [])
    case COLLAPSE_RANGE:
      return made(size - length, [...before, ...shifted(behind(offset + length), -length)])
    case INSERT_RANGE:
      return made(size + length, [...before, ...shifted(behind(offset), length)])
    default:
      return rest === 0 ? content : Content.replaced(content, offset, rest, [])
  }
}

const shifted = (runs: ReadonlyArray<Content.Run>, distance: number): ReadonlyArray<Content.Run> =>
  runs.map((run) => ({ ...run, offset: run.offset + distance }))

const made = (size: number, runs: ReadonlyArray<Content.Run>): Content.Content =>
  Content.replaced(Content.empty, 0, size, Content.joined(runs))
