/**
 * The logical names of the tables that a FetchXML names, in lower case.
 *
 * @param xml decoded from the query
 * @returns `undefined` when it is not plain XML of elements, attributes, text and comments, or an entity has no name
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/overview
 */
export function fetchXmlEntities(xml: string): readonly string[] | undefined {
  const tokens = new RegExp(TOKEN, 'y')
  const tables: string[] = []
  let root: string | undefined
  for (let at = 0; at < xml.length; at = tokens.lastIndex) {
    tokens.lastIndex = at
    const found = tokens.exec(xml)
    if (found === null) return undefined
    const [token, element, attributes = ''] = found
    if (element === undefined || token.startsWith('</')) continue
    root ??= element.toLowerCase()
    if (!/^(?:entity|link-entity)$/i.test(element)) continue
    const name = nameIn(attributes)
    if (name === undefined) return undefined
    tables.push(name)
  }
  return root === 'fetch' && tables.length > 0 ? tables : undefined
}

/** `undefined` when there is none, several, or one that holds more than letters, digits and underscores. */
function nameIn(attributes: string): string | undefined {
  const values = [...attributes.matchAll(/\s([\w.:-]+)\s*=\s*("[^"]*"|'[^']*')/g)]
    .filter(([, name]) => name!.toLowerCase() === 'name')
    .map(([, , value]) => withoutReferences(value!.slice(1, -1)).trim().toLowerCase())
  return values.length === 1 && /^\w+$/.test(values[0]!) ? values[0] : undefined
}

const ATTRIBUTE = /\s+[A-Za-z_][\w.:-]*\s*=\s*(?:"[^"<]*"|'[^'<]*')/.source
/** A comment, the declaration, a tag with its name and attributes, or text. */
const TOKEN = String.raw`<!--(?:(?!--)[^])*-->|<\?xml\s[^<>?]*\?>|</?([A-Za-z][\w.-]*)((?:${ATTRIBUTE})*)\s*/?>|[^<>]+`

function withoutReferences(text: string): string {
  return text.replace(/&#(?:x([\da-f]{1,6})|(\d{1,7}));/gi, (whole, hex?: string, decimal?: string) => {
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}
