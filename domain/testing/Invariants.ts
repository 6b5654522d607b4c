/**
 * What holds in every state of a zone between two batches, told as the list of what does not. It looks at one
 * state alone: what a command should have done is for the tests of the operations.
 */
import * as Acl from "#domain/Acl.ts"
import * as Extents from "#domain/Extents.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import * as Locks from "#domain/Locks.ts"
import * as Mode from "#domain/Mode.ts"
import * as Name from "#domain/Name.ts"
import type { Inode } from "#domain/state/Inode.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"

export const problemsOf = (state: ZoneState): ReadonlyArray<string> => {
  const names = namesOf(state)
  const problems: Array<string> = [...names.problems, ...sessionProblems(state), ...snapshotProblems(state)]
  for (const inode of state.inodes()) {
    for (
      const problem of [
        ...linkProblems(state, inode, names.found.get(inode.number) ?? []),
        ...contentProblems(state, inode),
        ...attributeProblems(inode),
        ...lockProblems(state, inode)
      ]
    ) problems.push(`inode ${inode.number}: ${problem}`)
  }
  return [...problems, ...totalProblems(state)]
}

/** The directories that hold each inode, one a name. */
const namesOf = (
  state: ZoneState
): { readonly found: ReadonlyMap<number, ReadonlyArray<Inode>>; readonly problems: ReadonlyArray<string> } => {
  const found = new Map<number, Array<Inode>>()
  const problems: Array<string> = []
  for (const directory of state.inodes()) {
    let before = ""
    let count = 0
    directory.entries?.walk("", (name, number) => {
      count++
      if (name <= before) problems.push(`directory ${directory.number}: ${name} is not after ${before}`)
      before = name
      if (Name.problemOf(name) !== undefined) problems.push(`directory ${directory.number}: bad name ${name}`)
      if (!state.has(number)) problems.push(`directory ${directory.number}: ${name} points nowhere`)
      found.set(number, [...found.get(number) ?? [], directory])
      return true
    })
    if (directory.entries !== undefined && directory.entries.isEmpty !== (count === 0)) {
      problems.push(`directory ${directory.number}: says ${directory.entries.isEmpty}, has ${count} entries`)
    }
  }
  return { found, problems }
}

const linkProblems = (state: ZoneState, inode: Inode, parents: ReadonlyArray<Inode>): ReadonlyArray<string> => {
  const isRoot = InodeNumber.localOf(inode.number) === InodeNumber.ROOT_LOCAL
  const named = isRoot || parents.length > 0
  const problems: Array<string> = []
  const expect = (holds: boolean, what: string): void => void (holds || problems.push(what))
  const used = inode.opens + inode.locks.length + inode.waiters.length > 0
  expect(named || used, "nobody names it, has it open, locks it or waits to lock it")
  if (inode.entries === undefined) {
    expect(inode.nlink === parents.length, `nlink is ${inode.nlink}, it has ${parents.length} names`)
    return problems
  }
  let subdirectories = 0
  inode.entries.walk("", (_, number) => {
    if (state.inode(number)?.entries !== undefined) subdirectories++
    return true
  })
  const nlink = named ? 2 + subdirectories : 0
  expect(inode.nlink === nlink, `nlink is ${inode.nlink}, should be ${nlink}`)
  expect(named || inode.entries.isEmpty, "it has entries and no name")
  expect(parents.length <= 1, `${parents.length} names for one directory`)
  const [parent] = isRoot ? [inode] : parents
  expect(parent === undefined || inode.parent === parent.number, `its parent is ${inode.parent}`)
  expect(!named || reachesRoot(state, inode), "it is not below the root")
  return problems
}

const reachesRoot = (state: ZoneState, directory: Inode): boolean => {
  let at: Inode | undefined = directory
  for (let steps = 0; at !== undefined && steps <= state.inodeCount; steps++) {
    if (at.parent === at.number) return at.number === InodeNumber.rootOf(state.zone)
    at = state.inode(at.parent)
  }
  return false
}

const contentProblems = (state: ZoneState, { extents, mode, size }: Inode): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const expect = (holds: boolean, what: string): void => void (holds || problems.push(what))
  expect(Mode.isRegular(mode) || (size === 0 && extents.length === 0), "contents in what is no regular file")
  let at = 0
  for (const extent of extents) {
    expect(Extents.isValid(extent), `extent at ${extent.offset} is not valid`)
    expect(extent.offset >= at, `extent at ${extent.offset} overlaps the one before`)
    at = Extents.end(extent)
    const isOwn = InodeNumber.zoneOf(extent.slice) === state.zone
    expect(!isOwn || InodeNumber.localOf(extent.slice) < state.nextSlice, `slice ${extent.slice} was never given`)
  }
  expect(at <= size, `extents to ${at} in a file of ${size}`)
  return problems
}

const attributeProblems = (inode: Inode): ReadonlyArray<string> => {
  const { mode, xattrs } = inode
  const problems: Array<string> = []
  if (xattrs?.size === 0) problems.push("an empty map of attributes")
  for (const name of [Acl.ACCESS, Acl.DEFAULT]) {
    const value = xattrs?.get(name)
    if (value === undefined) continue
    const acl = Acl.parse(value)
    if (acl === undefined) problems.push(`${name} is not valid`)
    else if (name === Acl.ACCESS && Acl.toMode(acl).mode !== (mode & Mode.RWX)) problems.push("mode and list differ")
  }
  if (inode.entries === undefined && xattrs?.has(Acl.DEFAULT) === true) problems.push("a default list on a file")
  return problems
}

const lockProblems = (state: ZoneState, { locks, waiters }: Inode): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const expect = (holds: boolean, what: string): void => void (holds || problems.push(what))
  for (const [index, lock] of locks.entries()) {
    expect(state.sessions.has(lock.session), `a lock of session ${lock.session}, which is not here`)
    for (const other of locks.slice(index + 1)) {
      expect(!Locks.conflicts(lock, other), `locks conflict: ${textOf(lock)} and ${textOf(other)}`)
      if (!Locks.sameOwner(lock, other)) continue
      expect(!Locks.overlaps(lock, other), `an owner's locks overlap: ${textOf(lock)} and ${textOf(other)}`)
      const adjacent = lock.end + 1 === other.start || other.end + 1 === lock.start
      expect(!adjacent || lock.type !== other.type, `not merged: ${textOf(lock)} and ${textOf(other)}`)
    }
  }
  for (const waiter of waiters) {
    expect(state.sessions.has(waiter.session), `a waiter of session ${waiter.session}, which is not here`)
    expect(Locks.firstConflict(locks, waiter) !== undefined, `waits for nothing: ${textOf(waiter)}`)
  }
  return problems
}

const textOf = ({ end, family, owner, session, start, type }: Locks.Lock): string =>
  `${family} ${type} ${start}-${end} of ${session}:${owner}`

const sessionProblems = (state: ZoneState): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const opens = new Map<number, number>()
  for (const session of state.sessions.values()) {
    if (state.ended.has(session.id)) problems.push(`session ${session.id} is here and ended`)
    for (const { inode } of session.opens.values()) opens.set(inode, (opens.get(inode) ?? 0) + 1)
    for (const request of session.replies.keys()) {
      if (request < session.floor) problems.push(`session ${session.id} remembers request ${request}`)
    }
  }
  for (const number of opens.keys()) {
    if (!state.has(number)) problems.push(`inode ${number} is open and not here`)
  }
  for (const inode of state.inodes()) {
    const counted = opens.get(inode.number) ?? 0
    if (inode.opens !== counted) problems.push(`inode ${inode.number} counts ${inode.opens} opens, has ${counted}`)
  }
  const waiting = [...state.locked.values()].flatMap(({ waiters }) => waiters)
  if (new Set(waiting.map(({ request, session }) => `${session}:${request}`)).size !== waiting.length) {
    problems.push("a request waits twice")
  }
  return problems
}

const snapshotProblems = (state: ZoneState): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const keys = new Set<string>()
  let before = 0
  for (const { directory, name, sequence } of state.snapshots) {
    const snapshot = `snapshot ${name} of inode ${directory}`
    if (Name.problemOf(name) !== undefined) problems.push(`${snapshot}: bad name`)
    if (InodeNumber.localOf(directory) >= state.nextInode) problems.push(`${snapshot}: of an inode never given`)
    if (sequence <= before || sequence > state.sequence) problems.push(`${snapshot}: taken at ${sequence}`)
    before = sequence
    keys.add(`${directory}/${name}`)
  }
  if (keys.size < state.snapshots.length) problems.push("a directory has two snapshots of one name")
  return problems
}

const totalProblems = (state: ZoneState): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const expect = (holds: boolean, what: string): void => void (holds || problems.push(what))
  let dataBytes = 0
  for (const { extents, number } of state.inodes()) {
    dataBytes += Extents.dataBytes(extents)
    expect(InodeNumber.localOf(number) < state.nextInode, `inode ${number} was never given`)
  }
  expect(state.dataBytes === dataBytes, `the zone counts ${state.dataBytes} bytes of data, has ${dataBytes}`)
  for (const number of state.locked.keys()) expect(state.has(number), `locked inode ${number} is not here`)
  for (const [number, { locks, waiters }] of state.locked) {
    expect(locks.length + waiters.length > 0, `inode ${number} counts as locked`)
  }
  expect(state.has(InodeNumber.rootOf(state.zone)), "there is no root")
  expect(state.ended.size <= Limits.endedSessionsMax, `${state.ended.size} ended sessions`)
  return problems
}
