// @ts-check
// Values of an Arrow page as text and as table cells. Text is only ever set as textContent.

const FOLD_AT = 160;

/** A float as Python writes it: 1.0, 1e+16, 1e-07, nan, inf. @param {number} value */
function floatText(value) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const [digits, power] = value.toExponential().split("e");
  const exponent = Number(power);
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    const sign = exponent < 0 ? "-" : "+";
    return `${digits}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  if (Number.isInteger(value)) return `${BigInt(value)}.0`;
  // JavaScript turns to exponents below 1e-6 only, Python below 1e-4; both write the shortest digits.
  return String(value);
}

/** @param {unknown} value @param {boolean} isFloat */
function valueText(value, isFloat) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  return isFloat && typeof value === "number" ? floatText(value) : String(value);
}

/**
 * What a cell holds: short text as it is, long text folded, cut text with a button that fetches the rest.
 * @param {string} text @param {number | undefined} total characters before it was cut @param {() => Promise<string>} whole
 */
function cellContent(text, total, whole) {
  if (text.length <= FOLD_AT && total === undefined) return make("div", { class: "mr-cell" }, text);
  const body = make("div", { class: "mr-cell mr-whole", tabindex: 0, role: "group", "aria-label": "the whole value" }, text);
  const details = make("details", { class: "mr-cell" }, make("summary", {}, `${text.slice(0, FOLD_AT - 20)}…`), body);
  if (total !== undefined) {
    const more = make("button", { type: "button", class: "mr-link" }, `show all ${formatCount(total)} characters`);
    more.addEventListener("click", async () => {
      more.disabled = true;
      try {
        body.textContent = await whole();
        more.remove();
      } catch (error) {
        more.textContent = /** @type {Error} */ (error).message;
      }
    });
    details.append(more);
  }
  return details;
}

/**
 * A page of rows as its Arrow bytes say.
 * @param {DataView | ArrayBuffer} bytes
 * @returns {{rows: number, floats: boolean[], at: (row: number, column: number) => unknown}}
 */
function decodePage(bytes) {
  const view = bytes instanceof ArrayBuffer ? new Uint8Array(bytes)
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const table = flechette.tableFromIPC(view, { useBigInt: true });
  const columns = table.schema.fields.map((_, n) => table.getChildAt(n));
  return {
    rows: table.numRows,
    floats: table.schema.fields.map((field) => field.type.typeId === 3),
    at: (row, column) => columns[column].at(row),
  };
}
