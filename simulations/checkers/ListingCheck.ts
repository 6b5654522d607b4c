/**
 * Listings of several pages, which are not atomic: a name that is there throughout is listed, one that is not is not,
 * and none is listed twice. What changes meanwhile may be listed or not. A listing of one page is held to the same;
 * `DirectoryModel` holds it to more.
 */
import { Errno } from "#domain/Errno.ts"
import type { Entry } from "#simulations/checkers/DirectoryModel.ts"
import { isDecided, type Observation, type ObservationOf, render } from "#simulations/history/History.ts"

type Page = ObservationOf<"readDirectory">

export interface Problem {
  readonly inode: number
  readonly name: string
  readonly wrong: "listed twice" | "missing, though it was there throughout" | "listed, though it was never there"
  readonly pages: ReadonlyArray<Page>
  /** Why it should have been there or not; none if nothing ever was at that name. */
  readonly because: ReadonlyArray<Observation>
}

/** What is wrong with the listings of a history; `tree` is what was there before it. */
export const problemsOf = (
  observations: ReadonlyArray<Observation>,
  tree: ReadonlyArray<Entry> = []
): ReadonlyArray<Problem> => {
  const directories = new Map<number, Names>()
  const note = (inode: number, name: string, event: Event): void => {
    const names = directories.get(inode) ?? new Map<string, Array<Event>>()
    directories.set(inode, names)
    const events = names.get(name)
    if (events === undefined) names.set(name, [event])
    else events.push(event)
  }
  for (const { name, parent } of tree) {
    note(parent, name, { ...BEFORE, shows: PRESENT, mayAdd: false, mayRemove: false })
  }
  const hasLinks = observations.some(({ operation }) => operation === "link")
  for (const observation of observations) noteOf(observation, hasLinks, note)
  return listingsOf(observations).flatMap((listing) => problemsOfListing(listing, directories.get(listing.inode)))
}

export const report = (problems: ReadonlyArray<Problem>): string =>
  problems.map(({ because, inode, name, pages, wrong }) =>
    [`directory ${inode}, ${JSON.stringify(name)}: ${wrong}`, render([...because, ...pages])].join("\n")
  ).join("\n\n")

const PRESENT = 1
const ABSENT = -1

/** What one operation says of one name, at some moment between its beginning and its end. */
interface Event {
  readonly begun: number
  readonly ended: number
  /** PRESENT or ABSENT right after it; 0 if it does not say. */
  readonly shows: number
  readonly mayAdd: boolean
  readonly mayRemove: boolean
  readonly observation: Observation | undefined
}

type Names = Map<string, Array<Event>>

type Note = (inode: number, name: string, event: Event) => void

const BEFORE = { begun: -Infinity, ended: -Infinity, observation: undefined }

const noteOf = (observation: Observation, hasLinks: boolean, note: Note): void => {
  const { begun, ended, outcome } = observation
  const decided = isDecided(observation)
  const span = { begun, ended: decided && ended !== undefined ? ended : Infinity, observation }
  if (decided && outcome?.errno !== 0) {
    if (observation.operation !== "lookup" || outcome?.errno !== Errno.ENOENT) return
    const { name, parent } = observation.request
    return note(parent, name, { ...span, shows: ABSENT, mayAdd: false, mayRemove: false })
  }
  const says = (shows: number): number => (decided ? shows : 0)
  const adds: Event = { ...span, shows: says(PRESENT), mayAdd: true, mayRemove: false }
  const removes: Event = { ...span, shows: says(ABSENT), mayAdd: false, mayRemove: true }
  const sees: Event = { ...span, shows: says(PRESENT), mayAdd: false, mayRemove: false }
  switch (observation.operation) {
    case "lookup":
      return note(observation.request.parent, observation.request.name, sees)
    case "create":
    case "makeDirectory":
    case "makeNode":
    case "makeSymlink":
    case "link":
      return note(observation.request.parent, observation.request.name, adds)
    case "unlink":
    case "removeDirectory":
      return note(observation.request.parent, observation.request.name, removes)
    case "rename": {
      const { fromName, fromParent, mode, toName, toParent } = observation.request
      if (fromParent === toParent && fromName === toName) return note(fromParent, fromName, sees)
      note(toParent, toName, mode === "exchange" ? sees : adds)
      if (mode === "exchange") return note(fromParent, fromName, sees)
      // Between two names of one file nothing moves.
      return note(fromParent, fromName, hasLinks ? { ...removes, shows: 0 } : removes)
    }
    default:
  }
}

interface Listing {
  readonly inode: number
  readonly pages: ReadonlyArray<Page>
  readonly begun: number
  readonly ended: number
  /** Whether it came to the end. */
  readonly whole: boolean
}

/** Pages that continue each other: one client, one directory, one handle, each from where the last one ended. */
const listingsOf = (observations: ReadonlyArray<Observation>): ReadonlyArray<Listing> => {
  const open = new Map<string, Array<Page>>()
  const all: Array<ReadonlyArray<Page>> = []
  const pages = observations.filter((observation) => observation.operation === "readDirectory")
  for (const page of pages.toSorted((a, b) => a.begun - b.begun)) {
    if (page.outcome?.reply === undefined) continue
    const key = `${page.client}/${page.request.inode}/${page.request.handle}`
    const before = open.get(key)
    const last = before?.at(-1)
    if (page.request.after === "") {
      const listing = [page]
      open.set(key, listing)
      all.push(listing)
    } else if (last !== undefined && (last.ended ?? Infinity) < page.begun && page.request.after === cookieOf(last)) {
      before?.push(page)
    }
  }
  return all.flatMap((listing) => {
    const [first] = listing
    const last = listing.at(-1)
    if (first === undefined || last?.ended === undefined) return []
    const whole = last.outcome?.reply?.end === true
    return { inode: first.request.inode, pages: listing, begun: first.begun, ended: last.ended, whole }
  })
}

const cookieOf = (page: Page): string | undefined => page.outcome?.reply?.entries.at(-1)?.name ?? page.request.after

const problemsOfListing = (listing: Listing, names: Names = new Map()): ReadonlyArray<Problem> => {
  const { inode, pages } = listing
  const problems: Array<Problem> = []
  const listed = new Set<string>()
  for (const page of pages) {
    for (const { name } of page.outcome?.reply?.entries ?? []) {
      if (listed.has(name)) problems.push({ inode, name, wrong: "listed twice", pages, because: [] })
      listed.add(name)
    }
  }
  for (const name of listed) {
    const because = neverThere(listing, names.get(name) ?? [])
    if (because !== undefined) {
      problems.push({ inode, name, wrong: "listed, though it was never there", pages, because })
    }
  }
  if (!listing.whole) return problems
  for (const [name, events] of names) {
    const because = listed.has(name) ? undefined : throughout(listing, events, PRESENT)
    if (because !== undefined) {
      problems.push({ inode, name, wrong: "missing, though it was there throughout", pages, because })
    }
  }
  return problems
}

const neverThere = (listing: Listing, events: ReadonlyArray<Event>): ReadonlyArray<Observation> | undefined => {
  const wasAdded = events.some(({ begun, mayAdd, shows }) => begun < listing.ended && (mayAdd || shows === PRESENT))
  return wasAdded ? throughout(listing, events, ABSENT) : []
}

/** What shows that the name was there, or was not, all the time; undefined if nothing does. */
const throughout = (
  { begun, ended }: Listing,
  events: ReadonlyArray<Event>,
  wanted: number
): ReadonlyArray<Observation> | undefined => {
  for (const shown of events) {
    if (shown.shows !== wanted || shown.ended >= begun) continue
    const isDisturbing = (event: Event): boolean =>
      event !== shown && (wanted === PRESENT ? event.mayRemove : event.mayAdd) &&
      event.begun < ended && event.ended > shown.begun
    if (!events.some(isDisturbing)) return shown.observation === undefined ? [] : [shown.observation]
  }
  return undefined
}
