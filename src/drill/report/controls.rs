//! Which requirements of which standards a drill gives evidence for, and where in the report.
//!
//! Nothing here says that a requirement is met: that is an auditor's to say. Clauses are paraphrased.

use serde::Serialize;

/// One requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Control {
    /// The standard.
    pub standard: &'static str,
    /// Where in it.
    pub clause: &'static str,
    /// What it asks for, in short.
    pub asks: &'static str,
    /// Sections of the report that are evidence.
    pub evidence: &'static str,
}

/// All that a drill is evidence for.
pub const CONTROLS: [Control; 10] = [
    Control {
        standard: "SOC 2 (TSC 2017)",
        clause: "A1.2",
        asks: "backup and recovery infrastructure is there and watched",
        evidence: "objectives, environment, checks",
    },
    Control {
        standard: "SOC 2 (TSC 2017)",
        clause: "A1.3",
        asks: "recovery procedures are tested, scenarios and absent key people included; backups are tested for integrity and completeness",
        evidence: "scenario, participants, phases, checks, findings",
    },
    Control {
        standard: "ISO 22301:2019",
        clause: "8.5",
        asks: "exercises follow a programme and realistic scenarios, end in formal reports with outcomes and actions, and are acted on",
        evidence: "scenario, findings carried over, earlier drills, sign-offs",
    },
    Control {
        standard: "ISO/IEC 27001:2022",
        clause: "A.5.30",
        asks: "readiness of ICT for continuity is tested against objectives",
        evidence: "objectives, phases",
    },
    Control {
        standard: "ISO/IEC 27001:2022",
        clause: "A.8.13",
        asks: "backups are tested by restoring",
        evidence: "content checks, clean-up",
    },
    Control {
        standard: "NIST SP 800-53 r5",
        clause: "CP-4",
        asks: "the contingency plan is tested, results are reviewed, corrective actions are taken; an alternate site can be used",
        evidence: "criteria, findings, target",
    },
    Control {
        standard: "NIST SP 800-53 r5",
        clause: "CP-10",
        asks: "recovery and reconstitution to a known state within the objectives",
        evidence: "objectives, gates, snapshot",
    },
    Control {
        standard: "NIST CSF 2.0",
        clause: "RC.RP-03, RC.RP-05, RC.RP-06",
        asks: "integrity of backups is verified before use, that of restored assets afterwards, and the end is declared",
        evidence: "phases verify, fetch and decrypt; content checks; gates",
    },
    Control {
        standard: "Regulation (EU) 2022/2554 (DORA)",
        clause: "Art. 12",
        asks: "restoring is tested periodically, on segregated systems, with checks and reconciliations",
        evidence: "isolation, counts, field-level comparison",
    },
    Control {
        standard: "Regulation (EU) 2016/679 (GDPR)",
        clause: "Art. 32(1)(c), (d)",
        asks: "availability and access are restored in time, and measures are regularly tested; erasure holds on restored systems",
        evidence: "objectives, erasure replay",
    },
];
