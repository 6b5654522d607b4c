/**
 * How values of one type become bytes and back. Operations declare the shapes of their requests and
 * replies with these; the journal's events have a denser codec of their own (`EventCodec`).
 */
import type { ByteString } from "#domain/ByteString.ts"
import type { Reader } from "#domain/codec/Reader.ts"
import type { Writer } from "#domain/codec/Writer.ts"
import * as Timestamp from "#domain/Timestamp.ts"

export interface Codec<A> {
  write(writer: Writer, value: A): void
  read(reader: Reader): A
}

export type Type<C> = C extends Codec<infer A> ? A : never

export const u8: Codec<number> = { write: (w, v) => w.u8(v), read: (r) => r.u8() }
export const u16: Codec<number> = { write: (w, v) => w.u16(v), read: (r) => r.u16() }
export const u32: Codec<number> = { write: (w, v) => w.u32(v), read: (r) => r.u32() }
/** A safe integer from 0. */
export const uint: Codec<number> = { write: (w, v) => w.varint(v), read: (r) => r.varint() }
export const boolean: Codec<boolean> = { write: (w, v) => w.u8(v ? 1 : 0), read: (r) => r.u8() !== 0 }
export const nothing: Codec<void> = { write: () => undefined, read: () => undefined }

export const bytes = (bytesMax: number): Codec<ByteString> => ({
  write: (w, v) => w.string(v),
  read: (r) => r.string(bytesMax)
})

/** How far back a command may refer, as one byte tells it. */
const REFERENCE_MAX = 255

/** An inode number; a negative number -k refers to the inode in the reply of the command k places before. */
export const inode: Codec<number> = {
  write: (w, v) => {
    if (v < -REFERENCE_MAX) throw new Error(`a command cannot refer ${-v} places back, only ${REFERENCE_MAX}`)
    if (v < 0) w.u8(-v)
    else {
      w.u8(0)
      w.u56(v)
    }
  },
  read: (r) => {
    const back = r.u8()
    return back === 0 ? r.u56() : -back
  }
}

export const timestamp: Codec<Timestamp.Timestamp> = {
  write: (w, v) => {
    w.zigzag(v.seconds)
    w.varint(v.nanos)
  },
  read: (r) => {
    const time = Timestamp.make(r.zigzag(), r.varint())
    return Timestamp.isValid(time) ? time : r.fail("not a time")
  }
}

/** One of a few words, by its place in the list. */
export const literal = <const Words extends ReadonlyArray<string>>(...words: Words): Codec<Words[number]> => ({
  write: (w, v) => w.u8(words.indexOf(v)),
  read: (r) => {
    const index = r.u8()
    return words[index] ?? r.fail(`unknown choice ${index}`)
  }
})

export const optional = <A>(inner: Codec<A>): Codec<A | undefined> => ({
  write: (w, v) => {
    w.u8(v === undefined ? 0 : 1)
    if (v !== undefined) inner.write(w, v)
  },
  read: (r) => (r.u8() === 0 ? undefined : inner.read(r))
})

export const array = <A>(inner: Codec<A>, countMax: number): Codec<ReadonlyArray<A>> => ({
  write: (w, v) => {
    w.varint(v.length)
    for (const item of v) inner.write(w, item)
  },
  read: (r) => {
    const count = r.count(countMax)
    const out: Array<A> = []
    for (let i = 0; i < count; i++) out.push(inner.read(r))
    return out
  }
})

type Struct<F> = { readonly [Name in keyof F]: Type<F[Name]> }

export interface StructCodec<A> extends Codec<A> {
  /** Names of the fields that hold inode numbers. */
  readonly inodeFields: ReadonlyArray<string>
  /** Whether one of them refers to another command's inode. */
  refers(value: A): boolean
}

/** A record, its fields in the order in which they are written here. */
export const struct = <const F extends { readonly [name: string]: Codec<unknown> }>(
  fields: F
): StructCodec<Struct<F>> => {
  const names = Object.keys(fields)
  const codecs = Object.values(fields)
  const inodeFields = names.filter((_, i) => codecs[i] === inode)
  return { inodeFields, ...straight<Struct<F>>(names, codecs, inodeFields) }
}

/**
 * The codec of a record as code without a loop, made once when the program starts: a loop over names of any shape takes
 * several times as long, and makes objects that are slow to look at.
 */
const straight = <A>(
  names: ReadonlyArray<string>,
  codecs: ReadonlyArray<Codec<unknown>>,
  inodeFields: ReadonlyArray<string>
): Omit<StructCodec<A>, "inodeFields"> => {
  const bad = names.find((name) => !/^[A-Za-z]+$/.test(name))
  if (bad !== undefined) throw new Error(`${bad} is no name of a field`)
  const make = new Function(
    ...names.map((name) => `$${name}`),
    `return {
      write: (w, v) => { ${names.map((name) => `$${name}.write(w, v.${name});`).join(" ")} },
      read: (r) => ({ ${names.map((name) => `${name}: $${name}.read(r)`).join(", ")} }),
      refers: (v) => ${["false", ...inodeFields.map((name) => `v.${name} < 0`)].join(" || ")}
    }`
  ) as (...codecs: ReadonlyArray<Codec<unknown>>) => Omit<StructCodec<A>, "inodeFields">
  return make(...codecs)
}
