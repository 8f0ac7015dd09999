"""Every sentence of the interface, in English and Korean.

Names, labels and documentation of models come from the models. A text may hold ``{fields}``.
"""

from __future__ import annotations

from typing import Final

Language = str

TEXTS: Final[dict[str, tuple[str, str]]] = {
    # header
    "title": ("Flywheel", "플라이휠"),
    "model": ("Model", "모델"),
    "scenario": ("Scenario", "시나리오"),
    "base": ("Baseline", "기준"),
    "undo": ("Undo", "실행 취소"),
    "redo": ("Redo", "다시 실행"),
    "share": ("Copy link", "링크 복사"),
    "shared": ("Link copied", "링크를 복사했습니다"),
    "share_by_hand": ("Copy this address", "이 주소를 복사하세요"),
    "language": ("Language", "언어"),
    "theme": ("Light or dark", "밝게 또는 어둡게"),
    "stages": ("How far the model stands", "모델의 단계"),
    "stage_logic": ("logic", "논리"),
    "stage_equations": ("equations", "방정식"),
    "stage_evidence": ("evidence", "근거"),
    "stage_data": ("data", "데이터"),
    "chain": ("Value chain", "가치 사슬"),
    "chain_show": ("Show", "보기"),
    "chain_point": ("Entry point", "진입 지점"),
    "chain_total": ("Score", "점수"),
    "chain_range": ("Nine draws in ten of the judgements lie here", "판단의 범위를 반영한 90 % 구간"),
    "chain_send": ("Send to a model", "모델로 보내기"),
    "chain_notes": ("What was changed on the way", "보내면서 바뀐 것"),
    "skip": ("Skip to the levers", "레버로 건너뛰기"),
    # levers
    "levers": ("Levers", "레버"),
    "levers_help": (
        "What a decision maker can pull. Move one and watch.",
        "의사결정자가 움직일 수 있는 값입니다. 하나를 움직여 보세요.",
    ),
    "parameters": ("All other parameters", "그 밖의 모든 매개변수"),
    "search": ("Search {count} parameters", "매개변수 {count}개 검색"),
    "search_none": ("No parameter matches.", "맞는 매개변수가 없습니다."),
    "reset_all": ("Reset all", "모두 되돌리기"),
    "reset_one": ("Back to the baseline", "기준값으로"),
    "no_levers": (
        "This model names no levers. All its parameters are below.",
        "이 모델에는 레버가 없습니다. 모든 매개변수는 아래에 있습니다.",
    ),
    "no_params": ("This model has no parameters.", "이 모델에는 매개변수가 없습니다."),
    "by_scenario": ("set by the scenario", "시나리오가 정함"),
    "level": ("Meadows level {level}", "메도스 {level}단계"),
    "guess": ("guess", "추측"),
    "estimate": ("estimate", "추정"),
    "survey": ("survey", "조사"),
    "measured": ("measured", "측정"),
    "unsaid": ("no evidence given", "근거 없음"),
    "guess_help": ("A judgement; nobody has measured it.", "판단값이며 측정된 적이 없습니다."),
    "estimate_help": ("Fitted or inferred from other numbers.", "다른 수치에서 추정한 값입니다."),
    "survey_help": ("From a survey.", "설문 조사에서 얻은 값입니다."),
    "measured_help": ("Measured or published.", "측정되었거나 공표된 값입니다."),
    "unsaid_help": ("The model does not say.", "모델에 근거가 적혀 있지 않습니다."),
    # outcomes
    "outcomes": ("Outcomes", "결과"),
    "against": ("from {value}", "기준 {value}"),
    "same": ("as the baseline", "기준과 같음"),
    "no_outcomes": (
        "This model names no outcomes. Add a line such as: outcome last = x at 2030",
        "이 모델에는 결과가 없습니다. 예: outcome last = x at 2030",
    ),
    "not_reached": ("not reached", "도달하지 않음"),
    # diagram
    "diagram": ("Stocks, flows and loops", "저량, 유량, 순환"),
    "diagram_tab": ("Diagram", "그림"),
    "diagram_help": (
        "Drag to move, scroll or pinch to zoom, click a box to chart it.",
        "끌어서 옮기고, 굴리거나 두 손가락으로 확대하고, 상자를 누르면 차트가 열립니다.",
    ),
    "loops": ("Loops", "순환"),
    "view_loops": ("Named loops", "이름 붙은 순환"),
    "view_all": ("Everything", "전체"),
    "fit": ("Fit", "맞춤"),
    "time": ("Time", "시간"),
    "play": ("Play", "재생"),
    "pause": ("Pause", "멈춤"),
    "reinforcing": ("reinforcing", "강화"),
    "balancing": ("balancing", "균형"),
    "loop_hint": (
        "Choose a loop to see its way through the diagram.",
        "순환을 고르면 그림에서 경로를 보여 줍니다.",
    ),
    "no_loops": ("This model names no loops.", "이 모델에는 이름 붙은 순환이 없습니다."),
    # charts
    "charts": ("Charts", "차트"),
    "add_chart": ("Variables shown", "표시할 변수"),
    "run": ("this run", "이번 실행"),
    "baseline": ("baseline", "기준"),
    "data": ("data", "자료"),
    "unverified": ("not verified", "미검증"),
    "save_csv": ("Save as CSV", "CSV로 저장"),
    "save_png": ("Save as PNG", "PNG로 저장"),
    "no_charts": ("Choose a variable to chart.", "차트로 볼 변수를 고르세요."),
    # honesty
    "error_wait": ("Checking the step …", "계산 간격을 확인하는 중 …"),
    "error_small": (
        "Integration error {size}",
        "적분 오차 {size}",
    ),
    "error_big": (
        "Integration error {size}: do not trust the last digits",
        "적분 오차 {size}: 끝자리를 믿지 마세요",
    ),
    "error_help": (
        "Half the step ({step}) changes {worst} by {size} of its range, more than any other variable.",
        "간격을 절반({step})으로 줄이면 {worst} 값이 범위의 {size}만큼 바뀌며, 가장 큰 변화입니다.",
    ),
    "error_none": ("Integration error unknown", "적분 오차 알 수 없음"),
    # failures
    "stopped": ("The run stopped at {time}.", "{time}에서 실행이 멈췄습니다."),
    "stopped_variable": (
        "The run stopped at {time}: {label} ({name}) has no finite value.",
        "{time}에서 실행이 멈췄습니다. {label}({name}) 값을 계산할 수 없습니다.",
    ),
    "stopped_hint": (
        "The curves show what was computed before. Undo the last change, or reset the levers.",
        "곡선은 그 전까지 계산된 값입니다. 마지막 변경을 취소하거나 레버를 되돌리세요.",
    ),
    "offline": (
        "No answer from the server. The last curves stay; your settings are in the address.",
        "서버가 응답하지 않습니다. 마지막 곡선은 그대로이며 설정은 주소에 남아 있습니다.",
    ),
    "retry": ("Try again", "다시 시도"),
    "refused": ("The server refused this setting.", "서버가 이 설정을 거절했습니다."),
    "empty": (
        "There is no model to show. Start with: flywheel dashboard MODEL",
        "보여줄 모델이 없습니다. 다음으로 시작하세요: flywheel dashboard MODEL",
    ),
    "unsound": (
        "{name} cannot be opened: its text has mistakes.",
        "{name} 모델을 열 수 없습니다. 본문에 오류가 있습니다.",
    ),
    "close": ("Close", "닫기"),
    # links
    "link_notice": ("Part of this link could not be used:", "이 링크의 일부를 쓸 수 없습니다:"),
    "link_too_long": ("the link is too long", "링크가 너무 깁니다"),
    "link_model": ("there is no model called {name}", "{name} 모델이 없습니다"),
    "link_scenario": ("there is no scenario called {name}", "{name} 시나리오가 없습니다"),
    "link_loop": ("there is no loop called {name}", "{name} 순환이 없습니다"),
    "link_param": ("there is no parameter called {name}", "{name} 매개변수가 없습니다"),
    "link_variable": ("there is no variable called {name}", "{name} 변수가 없습니다"),
    "link_value": ("the value of {name} is no number", "{name} 값이 숫자가 아닙니다"),
}


def say(key: str, language: Language = "en", **fields: object) -> str:
    """A text in a language (English where there is none), its fields filled in."""
    english, korean = TEXTS[key]
    text = korean if language == "ko" else english
    return text.format(**fields) if fields else text


def all_texts(language: Language) -> dict[str, str]:
    """Every text of one language, fields left open, for the page's own script."""
    return {key: say(key, language) for key in TEXTS}
