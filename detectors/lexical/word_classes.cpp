#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "detectors/lexical/word_hash.h"
#include "detectors/lexical/words.h"

namespace tocsin::lexical {
namespace {

// Several languages: the classes are what carries over from one to another.  Where there are no
// blanks, pairs of characters stand for words.  No word stands twice.
constexpr ClassWords kRows[] = {
    {WordClass::kOverride,
     "ignore ignoring ignored disregard disregarding forget override overriding overwrite bypass "
     "discard drop skip abandon supersede supersedes replaces void "
     "ignoriere ignorieren ignorier vergiss vergesst vergessen missachte verwirf "
     "ignora ignorez ignorar ignorad ignoren olvida olvide olvidar oublie oubliez oublier "
     "dimentica dimenticare scorda esquece esqueca esquecer negeer vergeet zanemari zaboravi "
     "ignoruj zapomnij pomin unut yoksay boshvert glom glem ignorera "
     "игнорируй игнорируйте забудь забудьте забыть 忽略 忘记 忘掉 无视 無視 忘れ 무시"},
    {WordClass::kInstruction,
     "instruction instructions prompt prompts rule rules task tasks guideline guidelines directive "
     "directives command commands order orders assignment mission objective directions "
     "anweisung anweisungen befehl befehle aufgabe aufgaben regeln vorgaben anleitung "
     "instruccion instrucciones reglas tarea ordenes consignes regles tache ordres istruzioni "
     "regole compito ordini instrucoes regras tarefa ordens instructies regels taak opdracht "
     "instrukcije pravila naredbe instrukcje polecenia zasady talimat talimatlari kurallari "
     "instruktioner регламент инструкции инструкция правила указания задача задание команды "
     "指令 指示 规则 規則 任务 命令 提示 지시 명령"},
    {WordClass::kPrior,
     "previous previously prior above preceding earlier former foregoing initial original existing "
     "beginning "
     "vorherigen vorangegangenen vorangehenden bisherigen obigen obige fruheren vorigen "
     "anterior anteriores previas previos precedentes precedente precedenti anteriori arriba "
     "vorige eerdere prethodne prethodna poprzednie onceki tidigare предыдущие предыдущих прежние "
     "выше ранее 之前 以前 上面 先前 以上 上述 이전"},
    {WordClass::kAssistant,
     "assistant assistants ai llm llms chatbot bot agent agents model models gpt chatgpt copilot "
     "assistent ki asistente ia modele modelo modello assistente asystent ассистент модель "
     "助手 人工 模型"},
    {WordClass::kUser,
     "user users user's customer owner benutzer nutzer usuario utilisateur utente gebruiker "
     "пользователь пользователя 用户 ユー"},
    {WordClass::kSecond,
     "you your yours yourself you're you'll you've u ur du dein deine deinen deiner dir dich ihr "
     "sie ihre ihren tu tus te tuo tue tuoi vous votre vos voce seu seus suas usted sus je jouw ti "
     "tvoj ty twoje twoj ты твой вы ваш ваши тебя вас 你的 你是 你现 あな"},
    {WordClass::kFirst,
     "i my me mine i'm i'll i've i'd myself our we us ich mein meine meinen mir mich mi mis mon ma "
     "mes moi mio mia miei meu minha mijn moje moj я мой мне 我的 我是"},
    {WordClass::kModal,
     "must should shall need needs required mandatory obligated supposed ought can could would "
     "will musst mussen sollst sollten kannst konnen debes debe deberas dois devez doit devi deve "
     "moet должен должна должны 必须 需要 应该"},
    {WordClass::kUrgency,
     "urgent urgently immediately asap critical important importantly crucial emergency "
     "attention warning promptly dringend sofort achtung wichtig urgente inmediatamente importante "
     "atencion urgence immediatement subito attenzione urgentemente срочно важно "
     "немедленно внимание 紧急 立即 重要 注意"},
    {WordClass::kAuthority,
     "administrator admin system developer developers security management supervisor root official "
     "authorized authorised authorization authority compliance policy notice "
     "openai anthropic google microsoft company operator entwickler verwaltung sistema "
     "desarrollador "
     "systeme developpeur sviluppatore администратор система разработчик 管理 系统 开发"},
    {WordClass::kCovert,
     "secretly silently quietly discreetly covertly mention notify inform disclose confirmation "
     "confirm asking alert hide hidden conceal unnoticed tell permission heimlich secretamente "
     "silenciosamente discretement segretamente тайно 不要 秘密"},
    {WordClass::kNegation,
     "not no never without don't doesn't won't cannot can't isn't aren't nor nothing none "
     "neither nicht kein keine keinen nie nunca jamas ne pas jamais non mai nao niet geen не "
     "без никогда 不能 不会 没有"},
    {WordClass::kOrder,
     "before after first then instead afterwards once finally next now henceforth onwards until "
     "also additionally jetzt nun stattdessen zuerst bevor danach ahora primero luego despues "
     "maintenant desormais ensuite adesso ora prima poi agora nu теперь сначала затем вместо "
     "现在 首先 然后 从现"},
    {WordClass::kSecret,
     "password passwords passphrase credentials credential secret secrets token tokens pin "
     "confidential private cvv ssn passwort kennwort geheimnis contrasena secreto clave passe "
     "segreto senha segredo wachtwoord пароль секрет 密码 秘钥 密钥"},
    {WordClass::kRole,
     "act acts acting pretend imagine roleplay role persona character simulate emulate "
     "play suppose hypothetical hypothetically fictional stay become spiele rolle stell "
     "actua actue finge imagina agis fais fingi immagina aja finja doe притворись "
     "представь веди 扮演 假装 角色"},
    {WordClass::kReveal,
     "print repeat reveal show output display say echo recite leak dump translate spell state "
     "respond answer reply write drucke wiederhole zeige sage schreibe nenne gib di repite muestra "
     "escribe repete montre ecris dis ripeti mostra scrivi stampa diga mostre escreva zeg schrijf "
     "повтори покажи напиши скажи выведи 重复 输出 显示 告诉 说出"},
    {WordClass::kCourtesy,
     "please kindly bitte plz favor veuillez por alstublieft пожалуйста prego 请你 お願"},
    {WordClass::kUnbound,
     "unfiltered uncensored unrestricted unlimited restrictions restriction limitations filters "
     "filter censorship ethics ethical unethical moral morals immoral amoral illegal legality "
     "boundaries guardrails safeguards constraints freed liberated jailbreak jailbroken harmful "
     "disclaimer disclaimers apologize refuse refuses consequences nsfw einschrankungen "
     "restricciones censura limites restrizioni ограничений цензуры 限制 道德"},
    {WordClass::kAll,
     "all any every everything anything whatever entire alle alles jede todas todos todo toutes "
     "tous tout tutte tutti tutto tudo sve wszystkie все 所有 一切 全部"},
    {WordClass::kAction,
     "send forward transfer delete remove create add update change modify share upload download "
     "post publish email mail message call book reserve cancel schedule buy sell purchase "
     "pay deposit withdraw grant give revoke invite unlock lock open close disable enable turn "
     "activate deactivate reset set visit click go navigate browse fetch retrieve get find search "
     "look check review read list copy move rename save export import install run execute start "
     "stop launch edit insert append include provide submit register subscribe unsubscribe join "
     "leave approve reject accept decline authorize verify validate sign rate recommend "
     "use make do perform complete follow obey comply proceed continue return summarize collect "
     "gather access connect contact ask generate convert redirect adjust increase decrease "
     "exchange trade donate swap kick ban block allow whitelist assign mark record arrange "
     "sende schicke losche uberweise erstelle offne envia elimina borra transfiere crea abre "
     "envoie "
     "envoyez supprime supprimez invia cancella trasferisci envie apague stuur verwijder отправь "
     "удали переведи создай 发送 删除 转账 创建 打开"},
};

constexpr std::size_t kSlots = 4096;  // a power of two, at least twice the words
static_assert((kSlots & (kSlots - 1)) == 0);
constexpr unsigned kSlotShift = 52;

struct Slot {
  std::uint64_t hash = 0;
  WordClass word_class = WordClass::kNone;
};

std::size_t slot_of(std::uint64_t hash) {
  return static_cast<std::size_t>((hash * kHashFactor) >> kSlotShift);
}

void insert(std::array<Slot, kSlots>& slots, std::uint64_t hash, WordClass kind) {
  std::size_t at = slot_of(hash);
  while (slots[at].hash != 0) {
    if (slots[at].hash == hash) return;
    at = (at + 1) % kSlots;
  }
  slots[at] = {.hash = hash, .word_class = kind};
}

// Most words have no class, and the slots are more than the first cache holds: a bit for each hash
// that is there, and few others, answers for them.
constexpr std::size_t kFilterBits = std::size_t{1} << 15U;
constexpr unsigned kWordBits = 64;
constexpr unsigned kFilterShift = 49;  // leaves 15 bits of a product

struct Table {
  std::array<std::uint64_t, kFilterBits / kWordBits> filter{};
  std::array<Slot, kSlots> slots{};
};

std::size_t filter_bit(std::uint64_t hash) {
  return static_cast<std::size_t>((hash * kHashFactor) >> kFilterShift);
}

Table make_table() {
  Table table;
  for (const ClassWords& row : kRows) {
    WordReader reader(row.words);
    Word word;
    while (reader.next_unclassed(word)) insert(table.slots, word.hash, row.word_class);
  }
  for (const Slot& slot : table.slots) {
    if (slot.hash == 0) continue;
    const std::size_t bit = filter_bit(slot.hash);
    table.filter[bit / kWordBits] |= std::uint64_t{1} << (bit % kWordBits);
  }
  return table;
}

const Table& table() {
  static const Table made = make_table();
  return made;
}

}  // namespace

std::span<const ClassWords> class_words() { return kRows; }

WordClass class_of(std::uint64_t hash) {
  const Table& known = table();
  const std::size_t bit = filter_bit(hash);
  if (((known.filter[bit / kWordBits] >> (bit % kWordBits)) & 1U) == 0) return WordClass::kNone;
  const std::array<Slot, kSlots>& slots = known.slots;
  for (std::size_t at = slot_of(hash); slots[at].hash != 0; at = (at + 1) % kSlots) {
    if (slots[at].hash == hash) return slots[at].word_class;
  }
  return WordClass::kNone;
}

}  // namespace tocsin::lexical
