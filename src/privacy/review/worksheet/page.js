"use strict";
const answers = document.getElementById("answers");
const rows = () => [...document.querySelectorAll("tr[data-row]")];
const left = document.getElementById("left");
let unsaved = false;

function state(row) {
  const value = (name) => row.querySelector(`[name=${name}]`).value;
  return { row: row.dataset.row, decision: value("decision"), ground: value("ground"), redact: value("redact") };
}

function count() {
  const open = rows().filter((row) => state(row).decision === "").length;
  left.textContent = open === 0 ? "Every row has a decision." : `${open} rows have no decision yet.`;
}

// The page that is saved holds the answers as data, and shows them when it is opened again.
function save() {
  const sheet = JSON.parse(answers.textContent);
  sheet.rows = rows().map(state);
  answers.textContent = JSON.stringify(sheet).replaceAll("<", "\\u003c");
  const page = "<!DOCTYPE html>\n" + document.documentElement.outerHTML;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([page], { type: "text/html" }));
  link.download = document.body.dataset.file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  unsaved = false;
}

for (const { row, decision, ground, redact } of JSON.parse(answers.textContent).rows) {
  const found = rows().find((candidate) => candidate.dataset.row === row);
  if (!found) continue;
  found.querySelector("[name=decision]").value = decision;
  found.querySelector("[name=ground]").value = ground;
  found.querySelector("[name=redact]").value = redact;
}
document.addEventListener("input", (event) => {
  if (event.target.name === "all") {
    for (const row of event.target.closest("section").querySelectorAll("tr[data-row]")) {
      const select = row.querySelector("[name=decision]");
      if (select.value === "") select.value = event.target.value;
    }
    event.target.value = "";
  }
  unsaved = true;
  count();
});
document.getElementById("save").addEventListener("click", save);
window.addEventListener("beforeunload", (event) => unsaved && event.preventDefault());
count();
