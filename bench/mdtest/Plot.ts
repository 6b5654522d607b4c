/**
 * `node bench/mdtest/Plot.ts RECORD SVG [PHASE]`: draws a phase of a recorded run, file creation unless told otherwise,
 * and prints the table of its tenths in Markdown.
 */
import { type PhaseName, phases } from "#bench/mdtest/Phases.ts"
import { read, type RecordedLine } from "#bench/mdtest/Recorded.ts"
import { kinds } from "#bench/mdtest/Summary.ts"
import { secondsAt, tenthsOf } from "#bench/mdtest/Tenths.ts"
import * as Fs from "node:fs"

const WIDTH = 860
const HEIGHT = 360
const LEFT = 80
const RIGHT = 20
const TOP = 40
const BOTTOM = 50
/** Points of the line at most; each is a mean of what it stands for. */
const POINTS_MAX = 300
const STEPS = 5
const MIB = 2 ** 20

/** Rates over time as a line, those of the tenths as steps. */
export const svgOf = (title: string, lines: ReadonlyArray<RecordedLine>, tenths: ReadonlyArray<number>): string => {
  const seconds = lines.at(-1)?.seconds ?? 0
  const items = lines.at(-1)?.items ?? 0
  const points = pointsOf(lines)
  const most = niceAbove(Math.max(...points.map(([, rate]) => rate), ...tenths))
  const x = (at: number): string => (LEFT + (at / seconds) * (WIDTH - LEFT - RIGHT)).toFixed(1)
  const y = (rate: number): string => (HEIGHT - BOTTOM - (rate / most) * (HEIGHT - TOP - BOTTOM)).toFixed(1)
  const grid = Array.from({ length: STEPS + 1 }, (_, step) => {
    const rate = (most * step) / STEPS
    const at = (seconds * step) / STEPS
    return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(rate)}" y2="${y(rate)}" stroke="#ddd"/>
<text x="${LEFT - 8}" y="${y(rate)}" text-anchor="end" dominant-baseline="middle">${
      Math.round(rate).toLocaleString("en")
    }</text>
<text x="${x(at)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${Math.round(at).toLocaleString("en")}</text>`
  })
  const steps = tenths.flatMap((rate, tenth) => {
    const from = secondsAt(lines, (items * tenth) / 10)
    const to = secondsAt(lines, (items * (tenth + 1)) / 10)
    return [`${x(from)},${y(rate)}`, `${x(to)},${y(rate)}`]
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
<text x="${LEFT}" y="22" font-size="15">${title}</text>
${grid.join("\n")}
<polyline fill="none" stroke="#9bb8d3" stroke-width="1" points="${
    points.map(([at, rate]) => `${x(at)},${y(rate)}`).join(" ")
  }"/>
<polyline fill="none" stroke="#c0392b" stroke-width="2" points="${steps.join(" ")}"/>
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${
    HEIGHT - 10
  }" text-anchor="middle">seconds; items a second; red: by tenths of the items</text>
</svg>
`
}

/** Moments and rates: of each line against the one before, or of several together where there are many. */
const pointsOf = (lines: ReadonlyArray<RecordedLine>): ReadonlyArray<readonly [number, number]> => {
  const stride = Math.max(1, Math.ceil(lines.length / POINTS_MAX))
  const points: Array<readonly [number, number]> = []
  let before = { seconds: 0, items: 0 }
  for (let at = stride - 1; at < lines.length; at += stride) {
    const line = lines[at] as RecordedLine
    if (line.seconds > before.seconds) {
      points.push([line.seconds, (line.items - before.items) / (line.seconds - before.seconds)])
    }
    before = line
  }
  return points
}

/** A round number that is not below. */
const niceAbove = (value: number): number => {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)))
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * power).find((nice) => nice >= value) ?? value
}

/** A row for each tenth of the items. */
export const tableOf = (lines: ReadonlyArray<RecordedLine>, tenths: ReadonlyArray<number>): string => {
  const items = lines.at(-1)?.items ?? 0
  const rows = tenths.map((rate, tenth) => {
    const first = lineAt(lines, (items * tenth) / 10)
    const last = lineAt(lines, (items * (tenth + 1)) / 10)
    const done = last.items - first.items
    const cpu = kinds.map((kind) =>
      done === 0 ? "-" : (((last.cpuSeconds[kind] - first.cpuSeconds[kind]) * 1e6) / done).toFixed(2)
    )
    const memory = [last.runnerBytes, last.taskBytes].map((bytes) => (bytes / MIB).toFixed(0))
    const cells = [
      Math.round((items * (tenth + 1)) / 10).toLocaleString("en"),
      secondsAt(lines, (items * (tenth + 1)) / 10).toFixed(0),
      Math.round(rate).toLocaleString("en"),
      ...cpu,
      ...memory
    ]
    return `| ${cells.join(" | ")} |`
  })
  const head = ["items", "seconds", "items/s", ...kinds.map((kind) => `CPU us ${kind}`), "MiB runners", "MiB tasks"]
  return [`| ${head.join(" | ")} |`, `|${" --- |".repeat(head.length)}`, ...rows].join("\n")
}

/** The first line that tells of so many items. */
const lineAt = (lines: ReadonlyArray<RecordedLine>, items: number): RecordedLine =>
  (lines.find((line) => line.items >= items) ?? lines.at(-1)) as RecordedLine

const main = (record: string, svg: string, phase: string): void => {
  if (!(phase in phases)) throw new Error(`no phase ${phase}; there are ${Object.keys(phases).join(", ")}`)
  const lines = read(Fs.readFileSync(record, "utf8"), phase as PhaseName, 0)
  const tenths = tenthsOf(lines)
  if (tenths === undefined) throw new Error(`${record}: ${lines.length} lines of ${phase} are too few for tenths`)
  Fs.writeFileSync(svg, svgOf(phases[phase as PhaseName].title, lines, tenths))
  process.stdout.write(`${tableOf(lines, tenths)}\n`)
}

if (import.meta.main) {
  const [record, svg, phase = "fileCreation"] = process.argv.slice(2)
  if (record === undefined || svg === undefined) {
    process.stderr.write("usage: node bench/mdtest/Plot.ts RECORD SVG [PHASE]\n")
    process.exitCode = 2
  } else main(record, svg, phase)
}
