//! Words in twelve languages that say what a value near them is.
//!
//! They are the gate of the judge, and evidence for it: only lines near such a word, and numbers in
//! prose, are judged at all.

use crate::privacy::judge::hash::{Hash, hash_of};

/// What a value near a word could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::privacy) enum CueTopic {
    /// No word of the lexicon.
    None,
    /// A password or the key of a network.
    Password,
    /// A verb for getting in, before or after what it takes: `signs in with`, `opens`.
    Access,
    /// A verb for entering a number: `enter`, `tippe`.
    Typed,
    /// A call that opens something, whose last argument may be a password: `connect(`.
    Connect,
    /// A number that grants access: PIN, combination, one-time code.
    Code,
    /// A thing that opens with a number: a safe, a gate.
    Lock,
    /// The security code of a card.
    CardCode,
    /// A token or key of a program.
    TextToken,
    /// An account, customer or contract number.
    Account,
    /// A number of a patient, an employee, a file.
    Record,
    /// An insurance, tax or identity number.
    Identity,
    /// A passport.
    Passport,
    /// A driving licence.
    Licence,
    /// The plate of a car.
    Plate,
    /// The number of a telephone or its card.
    Device,
    /// A date of birth.
    Birth,
    /// A telephone number.
    Phone,
    Address,
}

/// Beginnings of words, in lower case: any letters may follow. Common misspellings are included.
#[rustfmt::skip]
pub(in crate::privacy) const STEMS: &[(CueTopic, &[&str])] = &[
    (CueTopic::Password, &[
        "passwor", "kodeord", "paswoord", "watchword", "mädchenname", "palavra-chave",
        "schlüsselwort", "sicherheitswort", "비번", "暗号", "pword", "lösen", "parolă", "zugangswort",
        "passwör", "passphrase", "kennwort", "kennwört", "losungswort", "passcode", "passkey",
        "contraseñ", "contrasen", "contrasinal", "senha", "palavra-passe", "motdepasse",
        "mot_de_passe", "wachtwoord", "hasło", "hasła", "hasłem", "haslo", "парол", "şifre",
        "sifre", "parola", "lösenord", "adgangskode", "passord", "heslo", "salasana", "jelszó",
        "jelszav", "geslo", "lozink", "密码", "密碼", "口令", "パスワード", "合言葉", "비밀번호", "passwd", "segreto",
        "wachtzin", "暗号化キー", "codewort", "zugangsdaten", "credential", "anmeldedaten",
        "identifiants", "credenzial", "credencia", "inloggegevens", "netzwerkschlüssel",
        "wlan-schlüssel", "wlanschlüssel", "apssword", "psasword", "paswsord", "passwrod",
        "passowrd", "passwodr", "pasword", "passwrd", "pssword", "passwod", "passward", "passwoord",
        "paassword", "passsword", "passwoed", "pasowrd", "passwprd", "psswrd", "paswrod",
        "pasworrd", "apsswort", "paswsort", "passwrot", "passowrt", "pasdwort", "passwrt",
        "paswort", "pssswort", "kenwort", "kennwrot", "kennowrt", "contrseña", "contraesña",
        "contrasñea", "contarseña", "contrasela", "contraseá", "snha", "seha", "sehna", "wachtwoor",
        "wachtword", "wachtwrood", "wachwoord", "hsało", "парль", "пароьл", "şifer", "psasw",
        "passphrse", "passprhase", "pasphrase", "cnotraseña", "cntraseña", "conntraseña",
        "conraseña", "conrtaseña", "contaseña", "contraaseña", "contraeña", "contrasea",
        "contraseañ", "contraseeña", "contrasseña", "contrasña", "contrraseña", "contrsaeña",
        "conttraseña", "coontraseña", "cotnraseña", "cotraseña", "haasło", "hassło", "hasłło",
        "keennwort", "kennnwort", "kennwoort", "kennwor", "kennworrt", "kennwot", "kennwotr",
        "kennwrt", "kennwwort", "kenwnort", "knenwort", "knnwort", "paassphrase", "paasswort",
        "paspshrase", "passhprase", "passhrase", "passort", "passpharse", "passphase",
        "passphhrase", "passphraase", "passphrae", "passphraes", "passphras", "passphrasse",
        "passphrrase", "passphrsae", "passpphrase", "passprase", "passsphrase", "passswort",
        "passwoort", "passwot", "passwotr", "passwword", "passwwort", "psasphrase", "psaswort",
        "pssphrase", "psswort", "waachtwoord", "wacchtwoord", "wachhtwoord", "wachtoord",
        "wachtoword", "wachttwoord", "wachtwood", "wachtwoodr", "wachtwooord", "wachtwoorrd",
        "wachtworod", "wachtwwoord", "wachwtoord", "wacthwoord", "wactwoord", "wahctwoord",
        "wahtwoord", "wcahtwoord", "wchtwoord",
    ]),
    (CueTopic::Access, &[
        "unlock", "anmelde", "anzumelden", "einlogg", "meldest", "entsperr", "connecter",
        "connectez", "déverrouill", "accedere", "acessa", "inlogg", "zalogu", "logujesz", "loguje",
        "logowani", "войти", "входи", "заходи", "логин", "giriş", "giriyor", "girilir", "登录", "登陆",
        "登入", "ログイン", "サインイン", "vuole", "nimmt", "nachfrag", "открыть", "wejdziesz", "wchodzi",
        "wejść", "encrypted", "verschlüsselt", "chiffré", "cifrad", "zaszyfr", "зашифр", "takes",
        "wants",
    ]),
    (CueTopic::Connect, &[
        "connect", "conect", "conex", "verbind", "abrir", "open_", "openstore", "opslag.open",
        "auth", "authenticate", "creds", "signin", "autentic", "authentifi", "połącz", "подключ",
        "bağlan", "login", "logon", "unprotect", "protect", "vpn",
    ]),
    (CueTopic::Code, &[
        "puk", "szyfr", "шифр", "segredo", "pinkod", "pinkode", "cijfercode", "zahlencode", "kombi",
        "tunnusluku", "koodi", "one-time", "einmalig", "monouso", "однораз", "jednoraz", "eenmalig",
        "engångs", "kombination", "zahlenkombi", "kombinacj", "combination", "combinaison",
        "combinación", "combinação", "combinazione", "combinatie", "комбинаци", "digicode",
        "türcode", "tuercode", "torcode", "tresorcode", "zugangscode", "einmalcode",
        "freischaltcode", "bestätigungscode", "sicherheitscode", "zugriffscode", "aktivierungscode",
        "abholcode", "abholnummer", "geheimzahl", "geheimnummer", "pincode", "pin-code",
        "toegangscode", "beveiligingscode", "verificatiecode", "验证码", "驗證碼", "取件码", "门禁码", "门禁密码",
        "动态码", "动态口令", "校验码", "暗証番号", "解錠番号", "認証コード", "確認コード", "認証番号", "пин", "portkod",
        "engångskod", "einmalpass", "ワンタイムパスワード", "larmkod", "larmnummer", "kodlås", "dörrkod",
        "wywoływ", "blik", "인증번호",
    ]),
    (CueTopic::Lock, &[
        "tresor", "schließfach", "schlüsselkasten", "schlüsseltresor", "vorhängeschloss",
        "zahlenschloss", "fahrradschloss", "coffre", "candado", "cadenas", "dolap", "şkaf", "шкаф",
        "taquilla", "cofre", "cadeado", "cassaforte", "lucchetto", "armadietto", "valigetta",
        "kluis", "hangslot", "sejf", "kłódk", "szafk", "сейф", "замок", "калитк", "домофон",
        "сигнализац", "kasa", "kilit", "valiz", "スーツケース", "ロッカー", "金庫", "宅配ボックス", "密码盒", "保险箱",
        "行李箱", "keypad", "sleutelkluis", "schrank", "schranke", "lockbox", "padlock", "suitcase",
        "alarm", "garagentor", "portail", "portón", "portão", "cancello", "poort", "furtka",
        "brama",
    ]),
    (CueTopic::CardCode, &[
        "kartenprüfnummer", "crypto", "prüfnummer", "kartenprüfziffer", "cryptogramme", "安全码",
        "セキュリティコード",
    ]),
    (CueTopic::TextToken, &[
        "apikey", "api_key", "api-key", "chave_api", "clave_api", "klucz", "ключ", "токен",
        "anahtar", "密钥", "令牌", "トークン", "apiキー", "lizenzschlüssel", "clave_licencia", "secret",
        "token", "tokne", "tokken", "scret", "secert", "seceret", "jeton", "aktivierungsschlüssel",
        "app_key", "access_key", "sceret", "seccret", "secet", "secreet", "secrret", "secrt",
        "secrte", "seecret", "sercet", "seret", "tkoen", "toekn", "tokeen", "tooken",
    ]),
    (CueTopic::Account, &[
        "kontonummer", "kontonr", "konto-nr", "kundennummer", "kundnummer", "medlemsnummer",
        "kd.-nr", "kd-nr", "ügyfél", "kundennr", "kunden-nr", "vertragsnummer", "vertragsnr",
        "vertragskonto", "mitgliedsnummer", "mitgliedsnr", "mitglieds-nr", "kundnumret",
        "mandatsreferenz", "kortnummer", "rekeningn", "klantnummer", "lidnummer", "rachun", "расч",
        "账号", "帐号", "账户", "口座番号", "会員番号", "お客様番号", "客户号", "会员号", "合同号", "clientnummer",
    ]),
    (CueTopic::Record, &[
        "patientennummer", "patienten-nr", "patientennr", "fallnummer", "fall-nr", "fallnr",
        "aufnahmenummer", "personalnummer", "personal-nr", "personalnr", "mitarbeiternummer",
        "matrikelnummer", "matricule", "prontuário", "utente", "matricola", "patiëntnummer",
        "patientnummer", "dossiernummer", "personeelsnummer", "табельный", "schadennummer",
        "schaden-nr", "fahrgestell", "payroll", "a-number", "aktenzeichen", "geschäfts-nr", "vs-nr",
        "kv-nr", "protokol", "nre", "railcard", "pat.-id", "vin-nr", "реестров", "病历号", "病案号",
        "住院号", "门诊号", "就诊卡", "工号", "学号", "患者番号", "診察券", "カルテ番号", "社員番号", "職員番号", "学籍番号",
    ]),
    (CueTopic::Identity, &[
        "mutuelle", "adhérent", "policennummer", "versicherungsnummer", "versichertennummer",
        "versicherten-nr", "versichertennr", "vers.-nr", "vers-nr", "versicherungsschein",
        "sv-nummer", "sozialversicherung", "rentenversicherung", "sécu", "póliza", "afiliación",
        "apólice", "polizza", "polisnummer", "polisnr", "verzekeringsnummer", "polisa", "снилс",
        "полис", "sigorta", "poliçe", "保单号", "医保", "社保", "被保険者", "保険証", "medicare", "medicaid",
        "steuernummer", "steuer-nr", "steuernr", "steuer-id", "steueridentifikation",
        "steuer-identifikation", "identifikationsnummer", "税号", "納税", "マイナンバー", "個人番号",
        "ausweisnummer", "ausweis-nr", "ausweisnr", "personalausweis", "cédula", "dowód", "dowodu",
        "身份证", "身分证", "身分證", "在留カード", "personnummer", "burgerservicenummer", "инн",
        "identiteitskaart",
    ]),
    (CueTopic::Passport, &[
        "passport", "reisepass", "passeport", "pasaport", "passaport", "paspoort", "paszport",
        "паспорт", "护照", "旅券", "パスポート",
    ]),
    (CueTopic::Licence, &[
        "führerschein", "rijbewijs", "водительск", "ehliyet", "驾驶证", "驾照", "運転免許",
    ]),
    (CueTopic::Plate, &[
        "kennzeichen", "immatricul", "matrícula", "targa", "kenteken", "rejestracyjn", "госномер",
        "plaka", "车牌", "ナンバープレート", "nummernschild",
    ]),
    (CueTopic::Device, &[
        "imei", "iccid", "imsi", "meid",
    ]),
    (CueTopic::Birth, &[
        "geburtsdatum", "geburtstag", "geboren", "birthdate", "birthday", "birth_date", "born",
        "naissance", "fecha_nac", "nacimiento", "nacid", "nascimento", "nascid", "nascita",
        "geboortedatum", "geboorte", "urodzeni", "urodzon", "рождени", "родил", "doğum", "出生", "生日",
        "生年月日", "誕生日", "生まれ", "födelse", "född",
    ]),
    (CueTopic::Phone, &[
        "telefon", "téléphone", "teléfono", "telefone", "telefoon", "telephone", "telefono",
        "cellulare", "móvil", "movil", "celular", "telemóvel", "handy", "mobil", "телефон", "电话",
        "手机", "電話", "携帯", "komórk", "phone", "telefónic", "telefônic", "llámame", "llame", "llamar",
        "ligue", "liguem", "chiamar", "chiamal", "zadzwoń", "dzwoń", "dzwoni", "звони", "позвони",
        "arayın", "appelez", "appeler", "rappeler", "richiamare", "ringen", "erreichbar", "anrufen",
        "bellen",
    ]),
    (CueTopic::Address, &[
        "address", "adresse", "anschrift", "wohnt", "wohnhaft", "shipping", "dirección",
        "domicilio", "direccion", "domicile", "habite", "demeurant", "livraison", "endereço",
        "morada", "reside", "indirizzo", "residente", "abita", "zam.", "ikamet", "i̇kamet",
        "anschr.", "доставк", "adres", "woont", "zamieszkał", "adresu", "адрес", "проживает",
        "прожив", "adresi", "oturuyor", "地址", "住址", "住所", "送到", "寄往", "お届け先", "lieferadresse",
        "umgezogen", "adresses", "mieszka",
    ]),
];

/// Words that stand for themselves: only an `s` may follow.
#[rustfmt::skip]
pub(in crate::privacy) const WORDS: &[(CueTopic, &[&str])] = &[
    (CueTopic::Password, &[
        "passe", "pass", "ww", "pwd", "pw", "mdp", "psk", "wifi", "wi-fi", "wlan", "clave",
        "chiave", "вайфай", "вайфая", "codeword", "netzwerk", "psw", "pswd", "passwords",
    ]),
    (CueTopic::Access, &[
        "opens", "unlocks", "öffnet", "ouvre", "abre", "apre", "opent", "otwiera", "открывает",
        "açar", "açıyor", "opening", "log-in", "sign-in",
    ]),
    (CueTopic::Typed, &[
        "enter", "press", "tippe", "tipp", "eingeben", "gib", "tapez", "tape", "saisissez",
        "saisir", "teclea", "marca", "introduce", "mete", "pulsa", "digita", "inserisci", "digite",
        "toets", "wpisz", "введи", "введите", "набери", "наберите", "tuşla", "输入", "入力", "skriv",
        "slå", "dial",
    ]),
    (CueTopic::Code, &[
        "pin", "code", "cod", "codul", "kód", "combo", "tan", "otp", "kode", "código", "codigo",
        "codice", "kod", "kodu", "koden", "код", "коды", "кода", "pins", "codes", "cód", "sms-code",
        "smscode", "2fa", "mfa", "numer", "mtan", "pin_code",
    ]),
    (CueTopic::Lock, &[
        "safe", "locker", "gate", "garage", "lock", "door", "porte", "puerta", "porta", "tür",
        "haustür", "drzwi",
    ]),
    (CueTopic::CardCode, &[
        "cvv", "cvc", "cvv2", "cvc2",
    ]),
    (CueTopic::TextToken, &[
        "key", "tok", "sid",
    ]),
    (CueTopic::Account, &[
        "account", "acct", "konto", "kto", "kto.", "compte", "cuenta", "conta", "conto", "rekening",
        "hesap", "agência", "ag.", "bsb", "счет", "счёт", "счёта", "contrato", "rek",
    ]),
    (CueTopic::Record, &[
        "az.", "az", "vin", "dossier", "historia", "chassis", "mrn", "ipp", "nhc", "pat.-nr",
    ]),
    (CueTopic::Identity, &[
        "nir", "niss", "ahv", "svnr", "utr", "tin", "itin", "nif", "nie", "dni", "d.n.i.", "cif",
        "cip", "cpf", "cnpj", "cni", "rut", "curp", "bsn", "pesel", "nip", "regon", "p.iva", "c.f.",
        "tckn", "vkn", "sgk", "омс", "огрн", "aadhaar", "nric", "cpr", "egn", "nino", "idnr",
        "st.-nr", "ssn", "nss", "btw", "kvnr", "niss:", "nuss", "cns",
    ]),
    (CueTopic::Passport, &[
        "pass-nr", "passnr",
    ]),
    (CueTopic::Licence, &[
        "cnh", "permis", "patente",
    ]),
    (CueTopic::Plate, &[
        "plate", "placa", "plaque", "kfz", "rego",
    ]),
    (CueTopic::Device, &[
        "eid", "udid",
    ]),
    (CueTopic::Birth, &[
        "dob", "d.o.b.", "geb", "geb.", "ur.", "nac.", "nasc.", "d.n.", "日生", "bday", "b-day",
        "г.р.", "д.р.", "née", "né",
    ]),
    (CueTopic::Phone, &[
        "call", "ring", "tel", "tel.", "tél", "tél.", "tlf", "tfno", "mob", "gsm", "fon", "cell",
        "mobile", "тел",
    ]),
];

/// Slots of the hash table: four times the number of words.
const SLOTS: usize = 4096;

struct LexiconSlot {
    hash: u32,
    topic: CueTopic,
    is_stem: bool,
}

/// The words by hash, built by the compiler. A slot is taken by the first word that hashes to it or
/// that finds the slots before it taken.
static SLOTS_BY_HASH: [LexiconSlot; SLOTS] = build();

#[expect(
    clippy::indexing_slicing,
    clippy::large_stack_arrays,
    reason = "evaluated by the compiler"
)]
const fn build() -> [LexiconSlot; SLOTS] {
    let mut slots = [const {
        LexiconSlot {
            hash: 0,
            topic: CueTopic::None,
            is_stem: false,
        }
    }; SLOTS];
    let tables = [STEMS, WORDS];
    let mut table = 0;
    while table < tables.len() {
        let groups = tables[table];
        let mut group = 0;
        while group < groups.len() {
            let (topic, words) = groups[group];
            let mut word = 0;
            while word < words.len() {
                let hash = hash_of(words[word]);
                let mut slot = hash as usize % SLOTS;
                while slots[slot].hash != 0 {
                    slot = (slot + 1) % SLOTS;
                }
                slots[slot] = LexiconSlot {
                    hash,
                    topic,
                    is_stem: table == 0,
                };
                word += 1;
            }
            group += 1;
        }
        table += 1;
    }
    slots
}

/// The topic of a beginning of a word by its hash, and whether letters may follow it.
#[inline]
fn find(hash: u32) -> Option<(CueTopic, bool)> {
    let mut slot = hash as usize % SLOTS;
    loop {
        let found = SLOTS_BY_HASH.get(slot)?;
        if found.hash == hash {
            return Some((found.topic, found.is_stem));
        }
        if found.hash == 0 {
            return None;
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// The topic of a word, given as characters in lower case: that of its longest beginning in the
/// lexicon, or of the end of a long compound (`zugangskennwort`).
pub(in crate::privacy) fn topic_of(word: &[char]) -> CueTopic {
    let topic = topic_of_beginning(word);
    if topic != CueTopic::None || word.len() < 8 {
        return topic;
    }
    (1..word.len() - 5)
        .filter_map(|start| word.get(start..))
        .find_map(|end| {
            find(end.iter().fold(Hash::new(), |hash, &c| hash.with(c)).get()).map(|found| found.0)
        })
        .unwrap_or(CueTopic::None)
}

fn topic_of_beginning(word: &[char]) -> CueTopic {
    let mut topic = CueTopic::None;
    let mut hash = Hash::new();
    for (i, &c) in word.iter().enumerate() {
        hash = hash.with(c);
        if i == 0 {
            continue;
        }
        let rest = word.get(i + 1..).unwrap_or_default();
        match find(hash.get()) {
            Some((found, is_stem)) if is_stem || matches!(rest, [] | ['s']) => topic = found,
            _ => {}
        }
    }
    topic
}

/// The topic of a run of ideographs: that of the last two to six of them in the lexicon.
pub(in crate::privacy) fn topic_of_ideographs(run: &[char]) -> CueTopic {
    let mut topic = CueTopic::None;
    for start in 0..run.len() {
        let mut hash = Hash::new();
        for &c in run.iter().skip(start).take(6) {
            hash = hash.with(c);
            if let Some((found, _)) = find(hash.get()) {
                topic = found;
            }
        }
    }
    topic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lexicon_knows_its_words() {
        for (word, topic) in [
            ("passwords", CueTopic::Password),
            ("passwörter", CueTopic::Password),
            ("zugangskennwort", CueTopic::Password),
            ("pin", CueTopic::Code),
            ("pins", CueTopic::Code),
            ("pint", CueTopic::None),
            ("паролем", CueTopic::Password),
            ("telefonisch", CueTopic::Phone),
            ("window", CueTopic::None),
        ] {
            let word: Vec<char> = word.chars().collect();
            assert_eq!(topic_of(&word), topic, "{word:?}");
        }
        let run: Vec<char> = "无线网络密码是".chars().collect();
        assert_eq!(topic_of_ideographs(&run), CueTopic::Password);
    }
}
