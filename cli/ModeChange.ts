/**
 * Permissions as chmod takes them: octal, or symbolic clauses such as `u+rwX,go-w,+t`. Pure.
 */
import * as Mode from "#domain/Mode.ts"

/** From a mode with its type, and the umask, to the new permission bits. */
export type Apply = (mode: number, umask: number) => number

const CLAUSE = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/
const ACTION = /([-+=])([rwxXst]*|[ugo])/g

const classes: {
  readonly [letter: string]: { readonly shift: number; readonly all: number; readonly special: number }
} = {
  u: { shift: 6, all: 0o700, special: Mode.S_ISUID },
  g: { shift: 3, all: 0o070, special: Mode.S_ISGID },
  o: { shift: 0, all: 0o007, special: 0 }
}

/** Throws an Error that says what is wrong. */
export const parse = (given: string): Apply => {
  if (/^[0-7]{1,4}$/.test(given)) {
    const bits = Number.parseInt(given, 8)
    return () => bits
  }
  const clauses = given.split(",").map((clause) => {
    const [, who, actions] = CLAUSE.exec(clause) ?? []
    if (who === undefined || actions === undefined) {
      throw new Error(`${given} is no mode; give octal or clauses as u+x,go-w`)
    }
    return { who, actions: [...actions.matchAll(ACTION)].map(([, sign = "", what = ""]) => ({ sign, what })) }
  })
  return (mode, umask) => {
    let bits = mode & Mode.PERMISSIONS
    for (const { actions, who } of clauses) {
      const letters = who === "" || who.includes("a") ? ["u", "g", "o"] : [...who]
      // Without anybody named, what the umask forbids stays as it is.
      const allowed = who === "" ? ~umask : ~0
      for (const { sign, what } of actions) {
        for (const letter of letters) bits = act(bits, mode, letter, sign, what, allowed)
        if (what.includes("t") && (who === "" || who.includes("a") || who.includes("o") || sign !== "=")) {
          bits = sign === "-" ? bits & ~Mode.S_ISVTX : bits | Mode.S_ISVTX
        }
      }
    }
    return bits
  }
}

const act = (bits: number, mode: number, letter: string, sign: string, what: string, allowed: number): number => {
  const { all, shift, special } = classes[letter] as { shift: number; all: number; special: number }
  const copied = /^[ugo]$/.test(what) ? (bits >> (classes[what]?.shift ?? 0)) & 7 : letterBits(what, bits, mode)
  const chosen = ((copied << shift) & allowed) | (what.includes("s") ? special : 0)
  switch (sign) {
    case "+":
      return bits | chosen
    case "-":
      return bits & ~chosen
    default:
      // A folder keeps its set-group-id unless it is named, as with GNU chmod.
      return (bits & ~(all & allowed) & ~(Mode.isDirectory(mode) ? 0 : special)) | chosen
  }
}

const letterBits = (what: string, bits: number, mode: number): number => {
  const someExecute = Mode.isDirectory(mode) || (bits & 0o111) !== 0
  return (what.includes("r") ? 4 : 0) | (what.includes("w") ? 2 : 0) |
    (what.includes("x") || (what.includes("X") && someExecute) ? 1 : 0)
}
