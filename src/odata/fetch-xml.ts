/**
 * Logical names of the entities that a FetchXML query reads: its own, and the linked ones.
 *
 * @param xml decoded
 * @returns `undefined` unless it is plain FetchXML of elements and attributes, which every parser reads alike
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/reference/
 */
export function fetchedEntities(xml: string): readonly string[] | undefined {
  const names: string[] = []
  let end = 0
  for (const tag of xml.matchAll(TAG)) {
    if (/[<&]/.test(xml.slice(end, tag.index))) return undefined
    end = tag.index + tag[0].length
    const [, element, attributes = ''] = tag
    if (element === undefined || !/^(?:link-)?entity$/i.test(element)) continue
    const found = [...attributes.matchAll(/\sname\s*=\s*(?:"([^"]*)"|'([^']*)')/gi)]
    const name = found[0]?.[1] ?? found[0]?.[2]
    if (found.length !== 1 || name === undefined || !/^\w+$/.test(name)) return undefined
    names.push(name)
  }
  return /[<&]/.test(xml.slice(end)) || names.length === 0 ? undefined : names
}

/** An opening tag with its name and attributes, or a closing one. */
const TAG = /<(?:([\w-]+)((?:\s+[\w-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*\/?|\/[\w-]+\s*)>/g
