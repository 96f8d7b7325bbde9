/* What a person types into or chooses from: there, keys are letters and arrows, and Escape leaves. */

export const FIELDS = "input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select, [contenteditable]";
