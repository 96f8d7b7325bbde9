/* Lists of this page's person that outlive a reload; those of one are never read as another's. */

import { who } from "./focus-ask.js";

export const kept = (name) => JSON.parse(sessionStorage.getItem(`${name}-${who}`) ?? "[]");

/* Whether the list is kept now; where the browser has no room left, it lives as long as the page. */
export function keep(name, rows) {
  try {
    if (rows.length) sessionStorage.setItem(`${name}-${who}`, JSON.stringify(rows));
    else sessionStorage.removeItem(`${name}-${who}`);
    return true;
  } catch (error) {
    if (error.name !== "QuotaExceededError") throw error;
    return false;
  }
}
