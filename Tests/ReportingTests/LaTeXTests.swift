import SweepModel
import Testing

@testable import Reporting

@Test("LaTeX draws the study's table with shared cells as one and the best in bold")
func publishedLaTeX() throws {
    let text = Report(record: try publishedRuns()).render(.latex)
    #expect(
        text.contains(
            """
            \\toprule
            cycle & 1 & 2 & 3 & 4 & 5 & 6 & 7 & 8 & 9 & 10 \\\\
            labels & 1000 & 2000 & 3000 & 4000 & 5000 & 6000 & 7000 & 8000 & 9000 & 10000 \\\\
            \\midrule
            DQN (100 step) & \\multirow{6}{*}{46.15} & \\multirow{5}{*}{54.83} & 57.78 & 68.05 \
            & 75.73 & 81.25 & 84.33 & 86.57 & 88.26 & 88.93 \\\\
            DQN (200 step) &  &  & 64.23 & \\textbf{72.51} & 78.06 & 83.68 & 85.48 & \
            \\textbf{87.65} & 88.58 & 89.47 \\\\
            """))
    #expect(text.contains("DQN (200 step) & 5/5 & 46.378 & 56.352 & 66.186 & 74.178 & 80.788"))
    #expect(text.contains(" &  & \\scriptsize $\\pm$ 1.981 & "))
    #expect(text.contains("$-$3.11"))
    let begins = text.split(separator: "\\begin{tabular}").count
    #expect(begins == text.split(separator: "\\end{tabular}").count && begins > 20)
}

@Test("text from outside cannot become LaTeX's")
func escapedForLaTeX() {
    #expect(
        escapedLaTeX("50% of a_b & {x} \\input $y$ #1 ~^<>\"\n")
            == "50\\% of a\\_b \\& \\{x\\} \\textbackslash{}input \\$y\\$ \\#1 "
            + "\\textasciitilde{}\\textasciicircum{}\\textless{}\\textgreater{}''")
}

@Test("a failure's text is escaped where LaTeX names the missing run")
func incompleteLaTeX() {
    let trial = trialRecord(
        isTimeSeeded: true, state: .failed, correct: [10, 20], failure: "100% of /disk_1 used")
    let text = Report(record: sweepRecord([trial])).render(.latex)
    #expect(text.contains("failed after 2 of 3 cycles: 100\\% of /disk\\_1 used"))
    #expect(text.contains("0/1"))
}
